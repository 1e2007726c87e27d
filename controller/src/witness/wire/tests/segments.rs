use super::*;
use SegmentKind::{Data, Fin, PureAck, Rst, Syn, SynAck, Tcp};

fn of(segment: Segment) -> Vec<SegmentKind> {
    kinds(&FrameKind::Tcp(segment))
}

#[test]
fn a_frame_says_who_sent_it_and_to_whom() {
    let mut cable = Cable::new();
    let bytes = from_client(syn(7));
    let frame = cable.frame("client", &bytes);
    assert_eq!((frame.number, frame.from.as_str(), frame.to.as_deref()), (1, "client", Some("server")));
    assert_eq!((frame.length, frame.verdict), (bytes.len(), Verdict::Passed));
    let mut strange = bytes;
    strange[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0x77]);
    assert_eq!(cable.frame("client", &strange).to, None);
    strange[..6].copy_from_slice(&[0xff; 6]);
    assert_eq!(cable.frame("client", &strange).to, None);
}

#[test]
fn a_handshake_counts_from_the_initial_numbers_of_each_side() {
    let mut cable = Cable::new();
    let open = cable.client(syn(1000));
    assert_eq!((open.seq, open.relative_seq, open.ack, open.relative_ack), (1000, 0, 0, 0));
    assert_eq!((open.source_port, open.destination_port, open.window, open.length), (40000, 9877, 64240, 0));
    assert_eq!(open.flags.to_string(), "SYN");
    assert_eq!(of(open), [Tcp, Syn]);
    let answer = cable.server(Sent { ack: Some(1001), ..syn(5000) });
    assert_eq!((answer.relative_seq, answer.relative_ack), (0, 1));
    assert_eq!(of(answer), [Tcp, SynAck]);
    let done = cable.client(ack(1001, 5001));
    assert_eq!((done.seq, done.relative_seq, done.ack, done.relative_ack), (1001, 1, 5001, 1));
    assert_eq!(of(done), [Tcp, PureAck]);
}

#[test]
fn data_fin_and_rst_are_told_by_their_kinds() {
    let mut cable = Cable::connected();
    let line = cable.client(data(1001, 5001, b"hello\n"));
    assert_eq!((line.length, line.relative_seq, line.flags.psh), (6, 1, true));
    assert_eq!(of(line), [Tcp, Data]);
    assert_eq!(of(cable.server(ack(5001, 1007))), [Tcp, PureAck]);
    assert_eq!(of(cable.server(Sent { fin: true, ..ack(5001, 1007) })), [Tcp, Fin]);
    let last = cable.client(Sent { fin: true, ..data(1007, 5002, b"bye") });
    assert_eq!(of(last), [Tcp, Data, Fin]);
    let reset = cable.server(Sent { seq: 5001, rst: true, ..Sent::default() });
    assert_eq!((reset.relative_seq, reset.relative_ack), (1, 0));
    assert_eq!(of(reset), [Tcp, Rst]);
    assert_eq!(of(cable.server(Sent { rst: true, ..ack(5001, 1011) })), [Tcp, Rst]);
}

#[test]
fn numbers_stay_absolute_where_the_syn_was_not_seen() {
    let mut cable = Cable::new();
    let line = cable.client(data(70_000, 80_000, b"x"));
    assert_eq!((line.relative_seq, line.relative_ack), (70_000, 80_000));
    // A refused connection: the RST of a side that never began.
    let mut cable = Cable::new();
    cable.client(syn(1000));
    let refusal = cable.server(Sent { rst: true, ..ack(0, 1001) });
    assert_eq!((refusal.relative_seq, refusal.relative_ack), (0, 1));
}

#[test]
fn numbers_wrap_around() {
    let mut cable = Cable::new();
    cable.client(syn(u32::MAX - 2));
    cable.server(Sent { ack: Some(u32::MAX - 1), ..syn(u32::MAX) });
    let first = cable.client(data(u32::MAX - 1, 0, b"hello"));
    assert_eq!((first.relative_seq, first.relative_ack, first.retransmission), (1, 1, false));
    let second = cable.client(data(3, 0, b"world"));
    assert_eq!((second.relative_seq, second.retransmission), (6, false));
    assert_eq!(cable.server(ack(0, 8)).relative_ack, 11);
    assert!(cable.client(data(u32::MAX - 1, 0, b"hello")).retransmission);
}

#[test]
fn a_syn_with_another_number_begins_a_new_connection() {
    let mut cable = Cable::connected();
    cable.client(data(1001, 5001, b"hello"));
    let open = cable.client(syn(900));
    assert_eq!((open.relative_seq, open.retransmission), (0, false));
    let answer = cable.server(Sent { ack: Some(901), ..syn(4000) });
    assert_eq!((answer.relative_seq, answer.relative_ack, answer.retransmission), (0, 1, false));
    assert!(!cable.client(data(901, 4001, b"hello")).retransmission);
}

#[test]
fn a_host_that_lost_its_memory_between_two_syns_begins_anew_on_its_side_alone() {
    let mut cable = Cable::new();
    cable.client(syn(1000));
    cable.server(Sent { ack: Some(1001), ..syn(5000) });
    assert!(cable.client(syn(1000)).retransmission);
    let answer = cable.server(Sent { ack: Some(1001), ..syn(9000) });
    assert_eq!((answer.relative_seq, answer.relative_ack, answer.retransmission), (0, 1, false));
    assert_eq!(cable.client(ack(1001, 9001)).relative_seq, 1);
}

#[test]
fn both_sides_may_open_at_once() {
    let mut cable = Cable::new();
    assert_eq!(cable.client(syn(1000)).relative_seq, 0);
    assert_eq!(cable.server(syn(5000)).relative_seq, 0);
    let answer = cable.client(Sent { ack: Some(5001), ..syn(1000) });
    assert_eq!((answer.relative_seq, answer.relative_ack), (0, 1));
    assert!(answer.retransmission, "its SYN is the same one");
    assert_eq!(cable.server(Sent { ack: Some(1001), ..syn(5000) }).relative_ack, 1);
}

#[test]
fn connections_do_not_disturb_one_another() {
    let mut cable = Cable::connected();
    cable.client(data(1001, 5001, b"hello"));
    let ip = || ethernet(CLIENT, SERVER).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    assert!(!cable.segment("client", &tcp(ip(), (40001, 9877), syn(1000))).retransmission);
    assert!(!cable.segment("client", &tcp(ip(), (40001, 9877), data(1001, 0, b"hello"))).retransmission);
    assert!(cable.client(data(1001, 5001, b"hello")).retransmission);
}

#[test]
fn the_padding_of_a_short_frame_is_not_data() {
    let mut cable = Cable::connected();
    let mut bytes = from_client(ack(1001, 5001));
    assert_eq!(bytes.len(), 54);
    bytes.resize(60, 0);
    let segment = cable.segment("client", &bytes);
    assert_eq!((segment.length, segment.retransmission), (0, false));
}

#[test]
fn vlan_tags_and_ipv6_with_extension_headers_are_read_through() {
    let mut cable = Cable::new();
    let vlan = PacketBuilder::ethernet2(CLIENT, SERVER).single_vlan(7.try_into().unwrap());
    let segment = cable.segment("client", &tcp(vlan.ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64), PORTS, syn(5)));
    assert_eq!((segment.source.to_string().as_str(), segment.seq), ("192.0.2.1", 5));

    let (a, b) = (
        [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
    );
    let plain = tcp(ethernet(CLIENT, SERVER).ipv6(a, b, 64), PORTS, data(9, 1, b"hello"));
    // A destination options header (RFC 8200 section 4.6) of eight bytes, put between IP and TCP.
    let mut extended = plain.clone();
    extended.splice(54..54, [6, 0, 1, 4, 0, 0, 0, 0]);
    extended[20] = 60;
    let length = u16::from_be_bytes([plain[18], plain[19]]) + 8;
    extended[18..20].copy_from_slice(&length.to_be_bytes());
    for bytes in [plain, extended] {
        let segment = Cable::new().segment("client", &bytes);
        assert_eq!((segment.source.to_string().as_str(), segment.length, segment.seq), ("2001:db8::1", 5, 9));
    }
}

#[test]
fn a_segment_forwarded_by_a_guest_is_not_sent_again() {
    let mut cable = Cable::connected();
    let bytes = from_client(data(1001, 5001, b"hello"));
    assert!(!cable.segment("client", &bytes).retransmission);
    assert!(!cable.segment("router", &bytes).retransmission);
    assert!(cable.segment("client", &bytes).retransmission);
    assert!(cable.segment("router", &bytes).retransmission);
}
