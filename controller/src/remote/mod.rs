//! The control channel to a guest: one SSH connection per host, many programs over it at once.
//!
//! A [`Session`] is one TCP connection and one handshake (a quarter of a second in an emulated guest). On it
//! commands are [`run`](Session::run), files [`uploaded`](Session::upload) and programs
//! [`started`](Session::start); none waits for another.
//!
//! # How
//! One thread, the pump, owns the connection. Callers hand it *errands*; each gets an SSH channel of its own and
//! is carried forward whenever its channel has something to say. libssh2 is used without blocking, and does not
//! touch the network itself: its socket is one end of a socket pair whose other end the pump empties into memory
//! ([`transport`]). So no SSH packet is ever left half sent, which libssh2 could not bear (a half-sent packet
//! must be finished by repeating the very call that began it, before any other).
//!
//! In lockstep time a guest has no SSH: there a session is [`over`](Session::over) an [`Agent`] on a serial line, and there is no
//! thread either. Whoever waits lets time pass ([`Drive`]).
//!
//! # What goes wrong
//! Every wait has a limit, and its error says what was awaited. A connection that is cut, or silent when a reply
//! is overdue, is *lost*: every waiting caller gets an error, every program is [`Ended::Lost`], and `on_lost` is
//! called, once, with the reason. A lost session does not come back; connect again.
//!
//! ```no_run
//! use deadpeer::remote::{HostKey, Keys, Launch, Session};
//! use std::time::Duration;
//!
//! # fn main() -> deadpeer::error::Result<()> {
//! let (keys, host_key) = (Keys::generate(), HostKey::generate());
//! // ... a guest boots with keys.authorized_line() and host_key.dropbear_file() ...
//! let address = ([127, 0, 0, 1], 2222).into();
//! let session = Session::connect(address, &keys, &host_key.public(), Duration::from_secs(5), |why| {
//!     println!("the host was lost: {why}");
//! })?;
//! let uname = session.run("uname -r", Duration::from_secs(5))?;
//! let launch = Launch { witness: deadpeer_guest::WITNESS, name: "server", command: "echo-server", service: false };
//! let server = session.start(&launch, |event| println!("{event:?}"))?;
//! server.signal("TERM")?;
//! # drop(uname); Ok(()) }
//! ```
//!
//! [`Ended::Lost`]: crate::timeline::Ended::Lost

mod agent;
mod connect;
mod conversation;
mod desk;
mod drive;
mod errand;
mod keys;
mod line;
mod lines;
mod program;
mod pump;
mod quota;
mod run;
mod session;
mod shell;
mod terminal;
mod transport;
mod upload;

pub use agent::Agent;
pub use drive::Drive;
pub use keys::{HostKey, HostKeyPublic, Keys};
pub use lines::MAX_LINE;
pub use program::{Launch, Program};
pub use quota::{LAST_BYTES, LAST_LINES, MOST_BYTES, MOST_LINES};
pub use run::{MAX_OUTPUT, Output};
pub use session::Session;
pub use shell::quote;
pub use terminal::MAX_TYPED;
