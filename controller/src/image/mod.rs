//! Guest images: the disk, the kernel and the initramfs that a host boots from.
