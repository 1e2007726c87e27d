//! `machine/qemu`.
