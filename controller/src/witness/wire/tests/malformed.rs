use super::*;
use proptest::prelude::*;

fn samples() -> Vec<Vec<u8>> {
    let ip6 = ethernet(CLIENT, SERVER).ipv6([1; 16], [2; 16], 64);
    let mut arp = [[0xff; 6], CLIENT].concat();
    arp.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([0; 20]);
    let mut unreachable = Vec::new();
    let embedded = from_client(syn(1));
    ethernet(SERVER, CLIENT)
        .ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64)
        .icmpv4_raw(3, 1, [0; 4])
        .write(&mut unreachable, &embedded[14..])
        .unwrap();
    let mut advertisement = Vec::new();
    ethernet(SERVER, CLIENT)
        .ipv6([1; 16], [2; 16], 255)
        .icmpv6_raw(136, 0, [0; 4])
        .write(&mut advertisement, &[[1; 16].as_slice(), &[2, 1, 2, 0, 0, 0, 0, 1]].concat())
        .unwrap();
    vec![
        from_client(data(1, 1, b"hello, world")),
        tcp(ip6, PORTS, data(1, 1, b"hello")),
        arp,
        unreachable,
        advertisement,
    ]
}

#[test]
fn the_samples_are_sound() {
    let kinds: Vec<_> = samples().iter().map(|bytes| kinds(&Cable::new().frame("client", bytes).kind)).collect();
    let segment = vec![SegmentKind::Tcp, SegmentKind::Data];
    assert_eq!(
        kinds,
        [segment.clone(), segment, vec![SegmentKind::Arp], vec![SegmentKind::Icmp], vec![SegmentKind::Arp]]
    );
}

#[test]
fn a_frame_cut_short_anywhere_is_not_a_segment_and_says_so() {
    for sample in samples() {
        for length in 0..sample.len() {
            let frame = Cable::new().frame("client", &sample[..length]);
            assert!(!fits(SegmentKind::Tcp, &frame.kind), "{length} bytes of {sample:02x?}");
            assert_eq!(frame.length, length);
        }
    }
    let FrameKind::Other { text } = Cable::new().frame("client", &[1, 2, 3]).kind else { panic!("not other") };
    assert!(text.starts_with("malformed frame: "), "{text}");
}

proptest! {
    #[test]
    fn random_bytes_are_read_or_refused_in_peace(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
        let mut cable = Cable::new();
        for bytes in frames {
            let frame = cable.frame("client", &bytes);
            prop_assert_eq!(frame.length, bytes.len());
        }
    }

    #[test]
    fn valid_frames_with_bytes_changed_are_too(
        sample in 0..5_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = samples().swap_remove(sample);
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let mut cable = Cable::connected();
        for length in [bytes.len(), cut.index(bytes.len())] {
            if let FrameKind::Tcp(segment) = cable.frame("client", &bytes[..length]).kind {
                prop_assert!(segment.length < length);
            }
        }
    }

    /// Whatever the numbers, a segment shown twice in a row is new once and a retransmission once.
    #[test]
    fn shown_twice_a_segment_is_sent_again(seq in any::<u32>(), length in 2..100_usize) {
        let mut cable = Cable::new();
        cable.client(syn(seq.wrapping_sub(1)));
        let line = vec![b'x'; length];
        prop_assert!(!cable.client(data(seq, 0, &line)).retransmission);
        let again = cable.client(data(seq, 0, &line));
        prop_assert!(again.retransmission);
        prop_assert_eq!(again.relative_seq, 1);
    }
}
