use super::*;
use etherparse::{ArpEthIpv4Packet, ArpOperation, Icmpv4Type, Icmpv6Type, Ipv6Header, icmpv4, icmpv6};

fn text(kind: FrameKind) -> String {
    match kind {
        FrameKind::Arp { text } => format!("arp: {text}"),
        FrameKind::Icmp { source, destination, text } => format!("icmp {source} > {destination}: {text}"),
        FrameKind::Other { text } => format!("other: {text}"),
        FrameKind::Tcp(segment) => panic!("a segment: {segment:?}"),
    }
}

fn read(bytes: &[u8]) -> String {
    let frame = Cable::new().frame("client", bytes);
    let expected: &[SegmentKind] = match &frame.kind {
        FrameKind::Arp { .. } => &[SegmentKind::Arp],
        FrameKind::Icmp { .. } => &[SegmentKind::Icmp],
        _ => &[],
    };
    assert_eq!(kinds(&frame.kind), expected);
    text(frame.kind)
}

fn arp(operation: ArpOperation, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let packet = ArpEthIpv4Packet {
        operation,
        sender_mac: CLIENT,
        sender_ipv4: sender,
        target_mac: [0; 6],
        target_ipv4: target,
    };
    let mut bytes = Vec::new();
    ethernet(CLIENT, [0xff; 6]).arp(packet.into()).write(&mut bytes).unwrap();
    bytes
}

fn icmp4(kind: Icmpv4Type, payload: &[u8]) -> String {
    let mut bytes = Vec::new();
    let builder = ethernet(SERVER, CLIENT).ipv4([192, 0, 2, 254], [192, 0, 2, 1], 64).icmpv4(kind);
    builder.write(&mut bytes, payload).unwrap();
    read(&bytes)
}

const ONE: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const TWO: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

fn icmp6_from(source: [u8; 16], kind: Icmpv6Type, payload: &[u8]) -> String {
    let mut bytes = Vec::new();
    ethernet(CLIENT, SERVER).ipv6(source, TWO, 255).icmpv6(kind).write(&mut bytes, payload).unwrap();
    read(&bytes)
}

fn raw6(kind: u8, payload: &[u8]) -> String {
    icmp6_from(ONE, Icmpv6Type::Unknown { type_u8: kind, code_u8: 0, bytes5to8: [0; 4] }, payload)
}

#[test]
fn arp_speaks_in_words() {
    let (me, you) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    assert_eq!(read(&arp(ArpOperation::REQUEST, me, you)), "arp: who has 192.0.2.2? tell 192.0.2.1");
    assert_eq!(read(&arp(ArpOperation::REPLY, me, you)), "arp: 192.0.2.1 is at 02:de:ad:00:00:01");
    assert_eq!(read(&arp(ArpOperation::REQUEST, [0; 4], you)), "arp: has anybody 192.0.2.2?");
    assert_eq!(read(&arp(ArpOperation::REQUEST, me, me)), "arp: 192.0.2.1 is at 02:de:ad:00:00:01 (told to all)");
    assert_eq!(read(&arp(ArpOperation(9), me, you)), "arp: ARP operation 9");
}

#[test]
fn an_icmp_error_tells_whose_segment_it_is_about() {
    let segment = &from_client(data(1001, 5001, b"hello"))[14..];
    let about = ", about TCP 192.0.2.1:40000 > 192.0.2.2:9877";
    // All of it, and the IP header with eight bytes: what RFC 792 promises.
    for embedded in [segment, &segment[..28]] {
        let unreachable = icmp4(Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Host), embedded);
        assert_eq!(
            unreachable,
            format!("icmp 192.0.2.254 > 192.0.2.1: destination unreachable (host unreachable){about}")
        );
    }
    let cut = icmp4(Icmpv4Type::TimeExceeded(icmpv4::TimeExceededCode::TtlExceededInTransit), &segment[..22]);
    assert!(cut.ends_with("time exceeded (hop limit exceeded in transit), about TCP 192.0.2.1 > 192.0.2.2"), "{cut}");
    let nothing = icmp4(Icmpv4Type::DestinationUnreachable(icmpv4::DestUnreachableHeader::Network), b"\x45");
    assert!(nothing.ends_with("destination unreachable (network unreachable)"), "{nothing}");
}

#[test]
fn icmp_codes_have_names() {
    use icmpv4::DestUnreachableHeader::{FilterProhibited, FragmentationNeeded, Port};
    let unreachable = |header| icmp4(Icmpv4Type::DestinationUnreachable(header), b"");
    assert!(unreachable(Port).ends_with("(port unreachable)"));
    assert!(unreachable(FilterProhibited).ends_with("(communication administratively prohibited)"));
    assert!(unreachable(FragmentationNeeded { next_hop_mtu: 1400 }).ends_with("(fragmentation needed, MTU 1400)"));
    let echo = etherparse::IcmpEchoHeader { id: 77, seq: 3 };
    assert!(icmp4(Icmpv4Type::EchoRequest(echo), b"ping").ends_with("echo request 3"));
    assert!(icmp4(Icmpv4Type::EchoReply(echo), b"ping").ends_with("echo reply 3"));
    let unknown = Icmpv4Type::Unknown { type_u8: 42, code_u8: 1, bytes5to8: [0; 4] };
    assert_eq!(icmp4(unknown, b""), "other: ICMP type 42 code 1");
}

#[test]
fn icmpv6_errors_and_echoes_are_read_likewise() {
    let segment = tcp(ethernet(CLIENT, SERVER).ipv6(ONE, TWO, 64), PORTS, data(1, 1, b"hello"));
    let address = Icmpv6Type::DestinationUnreachable(icmpv6::DestUnreachableCode::Address);
    assert_eq!(
        icmp6_from(ONE, address, &segment[14..]),
        "icmp 2001:db8::1 > 2001:db8::2: destination unreachable (address unreachable), \
         about TCP [2001:db8::1]:40000 > [2001:db8::2]:9877"
    );
    assert!(icmp6_from(ONE, Icmpv6Type::PacketTooBig { mtu: 1280 }, b"").ends_with("packet too big (MTU 1280)"));
    let echo = etherparse::IcmpEchoHeader { id: 1, seq: 2 };
    assert!(icmp6_from(ONE, Icmpv6Type::EchoRequest(echo), b"").ends_with("echo request 2"));
}

#[test]
fn neighbour_discovery_speaks_as_arp_does() {
    assert_eq!(raw6(135, &TWO), "arp: who has 2001:db8::2? tell 2001:db8::1");
    let unknown = Icmpv6Type::Unknown { type_u8: 135, code_u8: 0, bytes5to8: [0; 4] };
    assert_eq!(icmp6_from([0; 16], unknown, &ONE), "arp: has anybody 2001:db8::1?");
    let mut advertised = ONE.to_vec();
    assert_eq!(raw6(136, &advertised), "arp: 2001:db8::1 is there");
    advertised.extend([14, 1, 0, 0, 0, 0, 0, 0]);
    advertised.extend([2, 1, 2, 0xde, 0xad, 0, 0, 1]);
    assert_eq!(raw6(136, &advertised), "arp: 2001:db8::1 is at 02:de:ad:00:00:01");
    advertised[17] = 0;
    assert_eq!(raw6(136, &advertised), "arp: 2001:db8::1 is there", "an option of length zero ends the walk");
    assert_eq!(raw6(136, b"short"), "arp: malformed neighbour advertisement");
}

#[test]
fn what_is_background_is_other() {
    assert_eq!(raw6(133, b""), "other: ICMPv6 router solicitation");
    assert_eq!(raw6(134, &[0; 8]), "other: ICMPv6 router advertisement");
    // As Linux sends it: with a hop-by-hop header that holds a router alert (RFC 3810).
    let mut header = Ipv6Header { source: ONE, destination: TWO, hop_limit: 1, ..Ipv6Header::default() };
    (header.next_header, header.payload_length) = (etherparse::IpNumber::IPV6_HEADER_HOP_BY_HOP, 16);
    let mut bytes = [SERVER, CLIENT].concat();
    bytes.extend([0x86, 0xdd]);
    bytes.extend(header.to_bytes());
    bytes.extend([58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(read(&bytes), "other: ICMPv6 multicast listener report");

    let mut udp = Vec::new();
    ethernet(CLIENT, SERVER).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(68, 67).write(&mut udp, b"dhcp").unwrap();
    assert_eq!(read(&udp), "other: UDP 192.0.2.1:68 > 192.0.2.2:67, 4 bytes");
    assert_eq!(read(&[&[0xff; 12][..], &[0x88, 0xcc], &[0; 46]].concat()), "other: EtherType 0x88cc");
    assert_eq!(read(&[&[0xff; 12][..], &[0x00, 0x26], &[0x42; 38]].concat()), "other: IEEE 802.3 LLC frame");
}

#[test]
fn a_fragment_is_not_taken_for_a_segment() {
    let mut bytes = from_client(data(1, 1, &[0; 64]));
    bytes[20] = 0x20; // more fragments
    assert_eq!(read(&bytes), "other: IPv4 fragment 192.0.2.1 > 192.0.2.2, TCP, 84 bytes");
    bytes[14 + 9] = 132;
    bytes[20] = 0;
    assert_eq!(read(&bytes), "other: IPv4 192.0.2.1 > 192.0.2.2, SCTP, 84 bytes");
}
