//! Nothing on a ladder or a chart lies on anything else, or outside its picture.

use crate::support::{Story, stories};
use crate::tags::{Tag, tags};
use crate::{catalogue, recorded, report};
use unicode_width::UnicodeWidthStr;

/// A text's box: left, right, top, bottom.
type Area = (f64, f64, f64, f64);

fn area(text: &Tag, wide: bool) -> Area {
    // The letters of DejaVu Sans Mono, which the pages are measured for: 0.602 em wide, in 12 and 11 pixels.
    let size = if wide { 12.0 } else { 11.0 };
    let width = text.text.width() as f64 * size * 0.602;
    let (x, y) = (f64::from(text.number("x")), f64::from(text.number("y")));
    let left = match text.get("text-anchor") {
        "end" => x - width,
        "middle" => x - width / 2.0,
        _ => x,
    };
    (left, left + width, y - size * 0.75, y + size * 0.2)
}

fn overlap(a: &Area, b: &Area) -> bool {
    a.0 < b.1 && b.0 < a.1 && a.2 < b.3 && b.2 < a.3
}

fn check(name: &str, page: &str) {
    let tags = tags(page);
    let pictures = tags.split(|tag| tag.name == "svg" && tag.closes);
    for picture in pictures {
        let Some(start) = picture.iter().position(|tag| tag.name == "svg") else { continue };
        let picture = &picture[start..];
        let svg = &picture[0];
        let wide = svg.get("class") == "wide";
        let (width, height) = (f64::from(svg.number("width")), f64::from(svg.number("height")));
        let texts = picture.iter().filter(|tag| tag.name == "text" && !tag.closes && tag.get("transform").is_empty());
        let texts: Vec<(&Tag, Area)> = texts.map(|text| (text, area(text, wide))).collect();
        for (index, (text, place)) in texts.iter().enumerate() {
            let inside = place.0 >= -1.0 && place.1 <= width + 1.0 && place.2 >= -1.0 && place.3 <= height + 1.0;
            assert!(inside, "{name}: outside its {width}x{height}: {place:?} {text:?}");
            for (other, area) in &texts[..index] {
                assert!(!overlap(place, area), "{name}: {:?} lies on {:?}\n{svg:?}", text.text, other.text);
            }
        }
    }
}

#[test]
fn no_text_lies_on_another_or_leaves_its_picture() {
    for scenario in catalogue() {
        let name = scenario.name.clone();
        check(&name, &report(&recorded(scenario)));
    }
    for (name, story) in [("router", stories::router()), ("silence", stories::fifteen_retransmissions())] {
        check(name, &report(&story));
    }
}

#[test]
fn long_and_wide_words_find_room() {
    let mut story: Story = stories::rebooted();
    for (n, text) in ["漢字".repeat(200), "x".repeat(5000), "word ".repeat(900), String::new()].iter().enumerate() {
        story.at(7.0 + n as f64).line("echo-client", text).line("echo-server", text).typed("echo-client", text);
    }
    check("words", &report(&story));
}
