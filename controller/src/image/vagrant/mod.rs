//! The image as a box for Vagrant: the very same disk and kernel, for machines that are made and used without the controller.
//!
//! Order: [`packed`] makes the `.box` file, or finds it in the cache; [`add`] has Vagrant take it, unless it has it. What
//! Vagrant must know of the box travels in it (`files/Vagrantfile`).
//!
//! A machine of the controller's gets its seed at each boot. One of Vagrant's gets the seed that is in the box, the same for all, and keeps on
//! its own disk what is made of it since (`files/first`): name, addresses, the keys that may log in.
//!
//! The same image and controller give the same bytes.

mod add;
mod contents;
mod pack;

pub use add::{Added, add};
pub use pack::{Packed, identity, packed};
