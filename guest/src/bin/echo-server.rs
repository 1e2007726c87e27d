//! echo-server
fn main() {}
