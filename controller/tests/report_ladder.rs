//! The ladder of whole runs, by golden files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::report::{Style, ladder};
use support::{Story, stories};

fn drawn(story: &Story, style: Style) -> String {
    let drawn = ladder(&story.scenario, &story.events, &style);
    println!("{drawn}");
    drawn
}

#[test]
fn look() {
    let style = Style { width: 80, colour: std::env::var_os("COLOUR").is_some(), unicode: true };
    drawn(&stories::crash_reboot(), style);
    drawn(&stories::crash_reboot(), Style::plain());
    drawn(&stories::fifteen_retransmissions(), style);
    drawn(&stories::router(), style);
}
