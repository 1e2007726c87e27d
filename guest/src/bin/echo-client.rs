//! echo-client
fn main() {}
