//! Which descriptor of which process is which socket.
//!
//! A descriptor is a number in a process's table; what it stands for may be shared: by dup(2), by fork(2), with CLONE_FILES
//! even the table. So there are tables, and sockets that entries of several tables may stand for. What was never seen to be
//! made (an opened file, a pipe) is in no table: it is something else.

use crate::timeline::{Connection, Descriptor, DescriptorKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// More sockets than that are looked through for those that no table knows any more.
const SOCKETS_AT_LEAST: usize = 4096;

/// A socket, or a set of descriptors (epoll), whatever its descriptors are.
pub(super) type Id = u64;

/// What an entry of a table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Input,
    Output,
    Tcp(Id),
    Set(Id),
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    file: File,
    closes_on_exec: bool,
}

/// A process's table.
type Table = BTreeMap<i32, Entry>;

/// What is known of a TCP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    New,
    Listening(u16),
    Connection(Connection),
}

/// Tables, sockets and sets of one boot.
#[derive(Debug, Default)]
pub(super) struct Descriptors {
    tables: HashMap<u64, Table>,
    /// Which table a process has.
    of: HashMap<u32, u64>,
    sockets: HashMap<Id, Socket>,
    /// Sockets by their address in the kernel's memory, as long as that is theirs.
    addresses: HashMap<u64, Id>,
    sets: HashMap<Id, BTreeSet<i32>>,
    last: u64,
    /// So many sockets are no reason to look for those that can be forgotten.
    enough: usize,
}

impl Descriptors {
    fn fresh(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn table(&mut self, pid: u32) -> &mut Table {
        let id = match self.of.get(&pid) {
            Some(id) => *id,
            None => {
                let id = self.fresh();
                self.of.insert(pid, id);
                id
            }
        };
        self.tables.entry(id).or_default()
    }

    fn entry(&self, pid: u32, number: i32) -> Option<Entry> {
        self.tables.get(self.of.get(&pid)?)?.get(&number).copied()
    }

    /// What a descriptor stands for, if it is any of what is known here.
    pub(super) fn file(&self, pid: u32, number: i32) -> Option<File> {
        self.entry(pid, number).map(|entry| entry.file)
    }

    /// A program begins: 0 is its input, 1 and 2 its output, and nothing else is known.
    pub(super) fn start(&mut self, pid: u32) {
        let table = self.table(pid);
        table.clear();
        for (number, file) in [(0, File::Input), (1, File::Output), (2, File::Output)] {
            table.insert(number, Entry { file, closes_on_exec: false });
        }
    }

    /// A process was forked. With `shared`, both have one table.
    pub(super) fn fork(&mut self, parent: u32, child: u32, shared: bool) {
        self.end(child);
        let Some(id) = self.of.get(&parent).copied() else { return };
        if shared {
            self.of.insert(child, id);
        } else if let Some(table) = self.tables.get(&id).cloned() {
            *self.table(child) = table;
        }
    }

    /// The process has a table of its own from here on (close_range(2) with `CLOSE_RANGE_UNSHARE`, execve(2)).
    pub(super) fn unshare(&mut self, pid: u32) {
        if let Some(table) = self.of.get(&pid).and_then(|id| self.tables.get(id)).cloned() {
            self.end(pid);
            *self.table(pid) = table;
        }
    }

    /// The process runs another program: what is marked for it is closed.
    pub(super) fn exec(&mut self, pid: u32) {
        self.unshare(pid);
        self.table(pid).retain(|_, entry| !entry.closes_on_exec);
    }

    /// The process is gone.
    pub(super) fn end(&mut self, pid: u32) {
        if let Some(id) = self.of.remove(&pid)
            && !self.of.values().any(|other| *other == id)
        {
            self.tables.remove(&id);
        }
    }

    /// Descriptor `number` is closed.
    pub(super) fn close(&mut self, pid: u32, number: i32) {
        self.table(pid).remove(&number);
    }

    /// Descriptors `first` to `last` are closed, or only marked to be closed on exec.
    pub(super) fn close_range(&mut self, pid: u32, first: i32, last: i32, mark_only: bool) {
        let table = self.table(pid);
        if mark_only {
            table.range_mut(first..=last).for_each(|(_, entry)| entry.closes_on_exec = true);
        } else {
            table.retain(|number, _| !(first..=last).contains(number));
        }
    }

    /// Descriptor `to` stands for what `from` does.
    pub(super) fn duplicate(&mut self, pid: u32, from: i32, to: i32, closes_on_exec: bool) {
        if from == to {
            return;
        }
        let entry = self.entry(pid, from);
        let table = self.table(pid);
        match entry {
            Some(Entry { file, .. }) => table.insert(to, Entry { file, closes_on_exec }),
            None => table.remove(&to),
        };
    }

    /// Sets or clears the mark of `F_SETFD`.
    pub(super) fn mark(&mut self, pid: u32, number: i32, closes_on_exec: bool) {
        if let Some(entry) = self.table(pid).get_mut(&number) {
            entry.closes_on_exec = closes_on_exec;
        }
    }

    /// `number` is a new TCP socket.
    pub(super) fn socket(&mut self, pid: u32, number: i32, closes_on_exec: bool) {
        let id = self.add(Socket::New);
        self.table(pid).insert(number, Entry { file: File::Tcp(id), closes_on_exec });
    }

    /// `number` is the accepted socket at this address of the kernel's; where that is not known, nobody's.
    pub(super) fn accepted(&mut self, pid: u32, number: i32, address: u64, closes_on_exec: bool) {
        let id = match self.addresses.get(&address) {
            Some(id) => *id,
            None => self.add(Socket::New),
        };
        self.table(pid).insert(number, Entry { file: File::Tcp(id), closes_on_exec });
    }

    /// `number` is a new set of descriptors.
    pub(super) fn set(&mut self, pid: u32, number: i32, closes_on_exec: bool) {
        let id = self.fresh();
        self.sets.insert(id, BTreeSet::new());
        self.table(pid).insert(number, Entry { file: File::Set(id), closes_on_exec });
    }

    /// `member` is put into the set, or taken out.
    pub(super) fn change_set(&mut self, pid: u32, set: i32, member: i32, inside: bool) {
        if let Some(File::Set(id)) = self.file(pid, set)
            && let Some(members) = self.sets.get_mut(&id)
        {
            if inside {
                members.insert(member)
            } else {
                members.remove(&member)
            };
        }
    }

    /// The members of a set.
    pub(super) fn members(&self, pid: u32, set: i32) -> Vec<i32> {
        match self.file(pid, set) {
            Some(File::Set(id)) => self.sets.get(&id).into_iter().flatten().copied().collect(),
            _ => Vec::new(),
        }
    }

    fn add(&mut self, socket: Socket) -> Id {
        if self.sockets.len() >= self.enough.max(SOCKETS_AT_LEAST) {
            self.forget_unused();
        }
        let id = self.fresh();
        self.sockets.insert(id, socket);
        id
    }

    /// Forgets sockets and sets that no table and no address of the kernel's stands for.
    fn forget_unused(&mut self) {
        let ids = |entry: &Entry| match entry.file {
            File::Tcp(id) | File::Set(id) => Some(id),
            File::Input | File::Output => None,
        };
        let mut used: HashSet<Id> = self.tables.values().flat_map(|table| table.values().filter_map(ids)).collect();
        used.extend(self.addresses.values());
        self.sockets.retain(|id, _| used.contains(id));
        self.sets.retain(|id, _| used.contains(id));
        self.enough = 2 * self.sockets.len();
    }

    /// The kernel told of the socket at `address`: its ends. `of` is the descriptor by which a process is making it a
    /// connection or a listener just now. The result is the socket, and its ends as far as they are known.
    pub(super) fn seen(&mut self, address: u64, ends: Connection, listens: bool, of: Option<Id>) -> (Id, Connection) {
        let id = match of.or_else(|| self.addresses.get(&address).copied()) {
            Some(id) => id,
            None => self.add(Socket::New),
        };
        self.addresses.insert(address, id);
        let before = match self.sockets.get(&id) {
            Some(Socket::Connection(before)) => Some(*before),
            _ => None,
        };
        let ends = merged(before, ends);
        self.sockets.insert(id, if listens { Socket::Listening(ends.local.port()) } else { Socket::Connection(ends) });
        (id, ends)
    }

    /// The socket's address in the kernel's memory is free to be somebody else's.
    pub(super) fn gone(&mut self, address: u64) {
        self.addresses.remove(&address);
    }

    /// The ends of the connection that the socket at `address` is, if it is one.
    pub(super) fn at(&self, address: u64) -> Option<(Id, Connection)> {
        let id = *self.addresses.get(&address)?;
        match self.sockets.get(&id)? {
            Socket::Connection(ends) => Some((id, *ends)),
            Socket::New | Socket::Listening(_) => None,
        }
    }

    /// A descriptor, for the timeline.
    pub(super) fn describe(&self, pid: u32, number: i32) -> Descriptor {
        let kind = match self.file(pid, number) {
            Some(File::Input) => DescriptorKind::Input,
            Some(File::Output) => DescriptorKind::Output,
            Some(File::Set(_)) => DescriptorKind::Several,
            Some(File::Tcp(id)) => match self.sockets.get(&id) {
                Some(Socket::Listening(port)) => DescriptorKind::Listening { port: *port },
                Some(Socket::Connection(ends)) => DescriptorKind::Connection(*ends),
                Some(Socket::New) | None => DescriptorKind::Socket,
            },
            None => DescriptorKind::Other,
        };
        Descriptor { number, kind }
    }
}

/// What is known now, with what was known before where the kernel does not tell it (yet, or any more).
fn merged(before: Option<Connection>, now: Connection) -> Connection {
    let Some(before) = before else { return now };
    let end = |before: SocketAddr, now: SocketAddr| if now.port() == 0 { before } else { now };
    Connection { local: end(before.local, now.local), remote: end(before.remote, now.remote) }
}

/// Nobody's end of no connection.
pub(super) const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests;
