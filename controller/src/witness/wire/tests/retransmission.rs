use super::*;

#[test]
fn what_was_sent_before_is_a_retransmission() {
    let mut cable = Cable::new();
    assert!(!cable.client(syn(1000)).retransmission);
    assert!(cable.client(syn(1000)).retransmission, "SYN again");
    let answer = Sent { ack: Some(1001), ..syn(5000) };
    assert!(!cable.server(answer).retransmission);
    assert!(cable.server(answer).retransmission, "SYN, ACK again");
    assert!(!cable.client(ack(1001, 5001)).retransmission);
    assert!(!cable.client(data(1001, 5001, b"hello")).retransmission);
    assert!(cable.client(data(1001, 5001, b"hello")).retransmission, "data again");
    let fin = Sent { fin: true, ..ack(1006, 5001) };
    assert!(!cable.client(fin).retransmission);
    assert!(cable.client(fin).retransmission, "FIN again");
    assert!(cable.client(Sent { fin: true, ..data(1001, 5001, b"hello") }).retransmission, "data and FIN again");
    assert_eq!(kinds(&FrameKind::Tcp(cable.client(fin)))[2], SegmentKind::Retransmission);
}

#[test]
fn parts_and_joined_parts_are_retransmissions_too() {
    let mut cable = Cable::connected();
    cable.client(data(1001, 5001, b"one "));
    cable.client(data(1005, 5001, b"two "));
    assert!(cable.client(data(1003, 5001, b"e t")).retransmission);
    assert!(cable.client(data(1001, 5001, b"one ")).retransmission);
    assert!(cable.client(data(1005, 5001, b"two ")).retransmission, "the older one does not take it back");
    assert!(cable.client(data(1001, 5001, b"one two ")).retransmission);
    assert!(cable.client(data(1008, 5001, b" three")).retransmission, "the last byte again, with new ones");
    assert!(!cable.client(data(1014, 5001, b"four")).retransmission);
}

#[test]
fn an_acknowledgement_never_is_one_however_often_it_comes() {
    let mut cable = Cable::connected();
    cable.server(data(5001, 1001, b"hello"));
    for _ in 0..3 {
        assert!(!cable.client(ack(1001, 5006)).retransmission);
    }
    cable.client(data(1001, 5006, b"hello"));
    assert!(!cable.client(ack(1001, 5006)).retransmission, "an old one");
}

#[test]
fn a_rst_never_is_one_and_takes_no_sequence_space() {
    let mut cable = Cable::connected();
    cable.server(data(5001, 1001, b"hello"));
    for _ in 0..2 {
        assert!(!cable.server(Sent { seq: 5001, rst: true, ..Sent::default() }).retransmission);
        assert!(!cable.server(Sent { rst: true, ..data(5001, 1001, b"why") }).retransmission);
    }
    assert!(!cable.server(Sent { seq: 9001, rst: true, ..Sent::default() }).retransmission);
    assert!(!cable.server(data(5006, 1001, b"more")).retransmission);
}

#[test]
fn a_keep_alive_probe_is_none() {
    let mut cable = Cable::connected();
    cable.client(data(1001, 5001, b"hello"));
    cable.server(ack(5001, 1006));
    assert!(!cable.client(ack(1005, 5001)).retransmission, "without data, as Linux does");
    assert!(!cable.client(data(1005, 5001, b"\0")).retransmission, "with one byte, as others do");
    assert!(cable.client(data(1004, 5001, b"\0")).retransmission, "one byte further back is no probe");
}

#[test]
fn one_byte_that_nobody_acknowledged_sent_again_is_no_keep_alive() {
    let mut cable = Cable::connected();
    cable.client(data(1001, 5001, b"x"));
    assert!(cable.client(data(1001, 5001, b"x")).retransmission);
    cable.server(ack(5001, 1002));
    assert!(!cable.client(data(1001, 5001, b"x")).retransmission);
}

#[test]
fn after_a_reboot_the_old_connections_numbers_count_still() {
    // The story of crash-reboot: the client does not know that the server forgot it.
    let mut cable = Cable::connected();
    cable.client(data(1001, 5001, b"hello"));
    cable.server(data(5001, 1006, b"hello"));
    cable.client(ack(1006, 5006));
    let line = cable.client(data(1006, 5006, b"another"));
    assert!(!line.retransmission);
    let reset = cable.server(Sent { seq: 5006, rst: true, ..Sent::default() });
    assert_eq!((reset.seq, reset.relative_seq), (line.ack, line.relative_ack));
}
