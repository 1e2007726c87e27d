//! The kernel witness, on the controller's side.

mod arguments;
mod calls;
mod decode;
mod descriptors;
mod format;
mod names;
mod page;
mod processes;
mod sockets;
mod story;
mod told;
