#![allow(clippy::unwrap_used)]

use super::*;

fn ends(local: u16, remote: u16) -> Connection {
    let end = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
    Connection { local: end("192.0.2.1", local), remote: end("192.0.2.2", remote) }
}

fn kind(descriptors: &Descriptors, pid: u32, number: i32) -> DescriptorKind {
    descriptors.describe(pid, number).kind
}

#[test]
fn a_connection_is_known_by_every_descriptor_that_stands_for_it() {
    let mut known = Descriptors::default();
    known.start(1);
    known.socket(1, 3, true);
    known.duplicate(1, 3, 5, false);
    known.fork(1, 2, false);
    let Some(File::Tcp(id)) = known.file(1, 3) else { unreachable!() };
    known.seen(0xffff, ends(0, 9877), false, Some(id));
    known.seen(0xffff, ends(40000, 9877), false, None);
    let connection = DescriptorKind::Connection(ends(40000, 9877));
    assert_eq!(kind(&known, 1, 3), connection);
    assert_eq!(kind(&known, 2, 5), connection);
    known.exec(2);
    assert_eq!(kind(&known, 2, 3), DescriptorKind::Other);
    assert_eq!(kind(&known, 2, 5), connection);
    known.close(1, 3);
    assert_eq!(kind(&known, 1, 3), DescriptorKind::Other);
    assert_eq!(kind(&known, 1, 0), DescriptorKind::Input);
}

#[test]
fn a_shared_table_is_one_until_exec() {
    let mut known = Descriptors::default();
    known.start(1);
    known.fork(1, 2, true);
    known.socket(2, 3, false);
    assert_eq!(kind(&known, 1, 3), DescriptorKind::Socket);
    known.exec(2);
    known.close(2, 3);
    assert_eq!(kind(&known, 1, 3), DescriptorKind::Socket);
    known.end(1);
    assert_eq!(kind(&known, 2, 1), DescriptorKind::Output);
}

#[test]
fn what_is_put_over_a_descriptor_takes_its_place() {
    let mut known = Descriptors::default();
    known.start(1);
    known.duplicate(1, 7, 0, false);
    assert_eq!(kind(&known, 1, 0), DescriptorKind::Other);
    known.duplicate(1, 1, 0, false);
    assert_eq!(kind(&known, 1, 0), DescriptorKind::Output);
    known.close_range(1, 1, i32::MAX, false);
    assert_eq!(kind(&known, 1, 2), DescriptorKind::Other);
    known.close_range(1, 0, 0, true);
    known.exec(1);
    assert_eq!(kind(&known, 1, 0), DescriptorKind::Other);
}

#[test]
fn an_address_that_is_used_again_is_another_socket() {
    let mut known = Descriptors::default();
    known.start(1);
    known.seen(0xa, ends(9877, 4000), false, None);
    known.accepted(1, 4, 0xa, false);
    known.gone(0xa);
    known.seen(0xa, ends(9877, 5000), false, None);
    known.accepted(1, 5, 0xa, false);
    assert_eq!(kind(&known, 1, 4), DescriptorKind::Connection(ends(9877, 4000)));
    assert_eq!(kind(&known, 1, 5), DescriptorKind::Connection(ends(9877, 5000)));
}

#[test]
fn sets_know_their_members_and_unused_sockets_are_forgotten() {
    let mut known = Descriptors::default();
    known.start(1);
    known.set(1, 3, false);
    for member in [5, 4, 5] {
        known.change_set(1, 3, member, true);
    }
    known.change_set(1, 3, 4, false);
    assert_eq!(known.members(1, 3), [5]);
    for _ in 0..3 * SOCKETS_AT_LEAST {
        known.socket(1, 4, false);
    }
    assert!(known.sockets.len() <= SOCKETS_AT_LEAST);
    assert_eq!(kind(&known, 1, 4), DescriptorKind::Socket);
}
