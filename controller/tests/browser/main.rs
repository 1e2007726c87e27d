//! The report in a real browser: headless Chromium opens it at the widths of a desk and of a telephone, points, clicks, filters,
//! types, and must find nothing to complain about.
//!
//! With `PICTURES=FOLDER` the pictures are kept there, to be looked at.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod devtools;
#[path = "../recorded_runs/mod.rs"]
#[allow(dead_code)] // Recording is for another test.
mod recorded_runs;
#[path = "../support/mod.rs"]
mod support;

use deadpeer::report::html;
use deadpeer::scenario::load;
use deadpeer::timeline::LabTime;
use devtools::Browser;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Story, results, stories};

const WIDTHS: [u32; 2] = [1280, 390];

fn recorded(name: &str) -> Story {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(format!("{name}.yaml"));
    let mut story = Story::of(load(&file).unwrap());
    story.events = recorded_runs::read(name).unwrap();
    story
}

/// The report of a story as a file in `folder`.
fn written(story: &Story, folder: &Path) -> PathBuf {
    let file = folder.join("report.html");
    std::fs::write(&file, html(&story.scenario, &results::result(story), &story.events)).unwrap();
    file
}

/// Keeps the window's picture if the user asked for it; what it shows must not be one colour alone.
fn picture(browser: &mut Browser, name: &str) {
    let picture = browser.picture();
    assert!(picture.len() > 20_000, "{name}: a picture of nothing: {} bytes", picture.len());
    if let Some(folder) = std::env::var_os("PICTURES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(Path::new(&folder).join(format!("{name}.png.base64")), picture).unwrap();
    }
}

/// How many marks of the ladder are shown.
const SHOWN: &str = "[...document.querySelectorAll('#ladder li[data-e]')].filter(it => it.checkVisibility()).length";

#[test]
fn a_reader_at_a_desk_and_one_with_a_telephone_can_use_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start();
    for name in ["crash-reboot", "server-killed"] {
        let file = written(&recorded(name), folder.path());
        for width in WIDTHS {
            for colours in ["light", "dark"] {
                browser.window(width, colours);
                browser.open(&file);
                picture(&mut browser, &format!("{name}-{width}-{colours}"));
                used(&mut browser, width);
                picture(&mut browser, &format!("{name}-{width}-{colours}-ladder"));
            }
        }
    }
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

fn used(browser: &mut Browser, width: u32) {
    let wide = browser.eval("document.documentElement.scrollWidth");
    assert_eq!(wide, width, "it is as wide as its window, and need not be scrolled sideways");
    let sheet = if width > 1000 { "wide" } else { "narrow" };
    let sheets = browser.eval(
        "[...new Set([...document.querySelectorAll('#ladder li svg')].filter(it => it.checkVisibility()).map(it => it.getAttribute('class')))]",
    );
    assert_eq!(sheets, serde_json::json!([sheet]));

    // Pointing at a frame's arrow shows the frame.
    assert_eq!(browser.eval("document.getElementById('line').hidden"), true);
    browser.mouse("#ladder li.segment", false);
    let line = browser.eval("document.getElementById('line').innerText");
    let line = line.as_str().unwrap();
    assert!(line.contains("SYN from client to server") && line.contains("\"witness\":\"wire\""), "{line}");

    // Clicking a mark leads to its row in the table.
    browser.mouse("#ladder li.segment a", true);
    let row = "document.querySelector('tr:target')";
    browser.until(&format!("{row} !== null"));
    let text = browser.eval(&format!("{row}.innerText"));
    assert!(text.as_str().unwrap().contains("SYN from client to server"), "{text}");
    let top = browser.eval(&format!("{row}.getBoundingClientRect().top"));
    assert!(top.as_f64().is_some_and(|top| (0.0..900.0).contains(&top)), "the row is in view: {top}");
    // And its time leads back.
    browser.mouse("tr:target a", true);
    browser.until("document.querySelector('#ladder li:target') !== null");
    assert_eq!(browser.eval("document.querySelector('#ladder li:target').classList.contains('segment')"), true);

    // A filter hides the marks and the rows of its kind, and says how many are left.
    let before = browser.eval(SHOWN).as_u64().unwrap();
    let calls = browser.eval("document.querySelectorAll('#ladder li.call').length").as_u64().unwrap();
    assert!(calls > 5, "{calls}");
    browser.mouse("#filter input[value=call]", true);
    assert_eq!(browser.eval(SHOWN).as_u64(), Some(before - calls));
    let hidden = browser.eval("[...document.querySelectorAll('tr.call')].every(it => !it.checkVisibility())");
    assert_eq!(hidden, true);
    assert_eq!(
        browser.eval("document.getElementById('shown').innerText"),
        format!("{} of {before} marks shown", before - calls)
    );
    browser.mouse("#filter input[value=call]", true);
    browser.mouse("#filter input[value=h1]", true);
    assert_eq!(browser.eval("document.querySelector('#ladder li.h1').checkVisibility()"), false);
    browser.mouse("#filter input[value=h1]", true);
    assert_eq!(browser.eval(SHOWN).as_u64(), Some(before));

    // Keys: from mark to mark, and away with the panel.
    browser.eval("document.querySelector('#ladder li.segment a').focus()");
    let number = "document.activeElement.closest('li').dataset.e";
    let first = browser.eval(number);
    browser.key("ArrowDown", 40);
    let second = browser.eval(number);
    assert_ne!(first, second);
    browser.key("ArrowUp", 38);
    assert_eq!(browser.eval(number), first);
    assert_eq!(browser.eval("document.getElementById('line').hidden"), false, "focus shows the line too");
    browser.key("Escape", 27);
    assert_eq!(browser.eval("document.getElementById('line').hidden"), true);
}

#[test]
fn every_link_and_mark_has_a_name_for_those_who_hear_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start();
    browser.window(1280, "light");
    browser.open(&written(&recorded("crash-reboot"), folder.path()));
    let tree = browser.call("Accessibility.getFullAXTree", &serde_json::json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let of = |role: &str| -> Vec<String> {
        let nodes = nodes.iter().filter(|node| node["ignored"] == false && node["role"]["value"] == role);
        nodes.map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
    };
    for role in ["link", "checkbox", "button", "heading", "navigation", "region"] {
        assert!(of(role).iter().all(|name| !name.trim().is_empty()), "{role}: {:?}", of(role));
    }
    assert!(of("link").iter().any(|name| name.contains("frame 13, client → server: SYN seq 0")), "{:?}", of("link"));
    let headings = of("heading");
    assert!(headings.iter().any(|name| name.contains("5. crash: power off server")), "{headings:?}");
    assert_eq!(of("main").len(), 1);
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

#[test]
fn nothing_that_a_run_says_is_executed() {
    let mut story = stories::rebooted();
    let hostile = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>";
    story.at(7.0).line("echo-client", hostile).typed("echo-client", hostile);
    story.scenario.title = hostile.to_owned();
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start();
    browser.window(1280, "light");
    browser.open(&written(&story, folder.path()));
    browser.mouse("#ladder li.said:last-child", false);
    assert_eq!(browser.eval("typeof window.hacked"), "undefined");
    assert_eq!(browser.eval("document.querySelector('h1').textContent"), hostile);
    // And were it markup, the policy would keep it from doing anything.
    let tried = "(() => { const it = document.createElement('script'); it.textContent = 'window.hacked = 1'; document.body.append(it); })()";
    browser.eval(tried);
    assert_eq!(browser.eval("typeof window.hacked"), "undefined");
    let refused = browser.complaints.iter().any(|complaint| complaint.contains("Content Security Policy"));
    assert!(refused, "{:?}", browser.complaints);
}

/// The most that a page may take to open: what the project promises for 10,000 events.
const SOON: Duration = Duration::from_secs(2);

/// So long may it take while other tests have the processors.
const BUSY: u32 = 3;

#[test]
fn ten_thousand_events_open_soon() {
    // The most that is shown one by one: no two segments alike, and every line another.
    let mut story = stories::rebooted();
    for n in 0..2_500_u32 {
        story.at(7.0 + f64::from(n) / 100.0);
        story.tcp("client", "P.", 14 + n * 1_000, 1_000, 14).tcp("server", ".", 14, 0, 1_014 + n * 1_000);
        story.line("echo-client", &format!("sent {n}")).line("echo-server", &format!("got {n}"));
    }
    assert!(story.events.len() > 10_000 && story.events.iter().all(|event| event.at > LabTime(0)));
    let folder = tempfile::tempdir().unwrap();
    let file = written(&story, folder.path());
    let mut browser = Browser::start();
    browser.window(1280, "light");
    let took = browser.open(&file);
    println!("10,000 events, {} bytes: opened in {took:?}", std::fs::metadata(&file).unwrap().len());
    assert!(took < SOON * BUSY, "{took:?}");
    // Every one is in the table, and its line is there.
    assert_eq!(browser.eval("document.querySelectorAll('tr[id]').length"), story.events.len());
    browser.mouse("#ladder li.segment", false);
    assert_eq!(browser.eval("document.getElementById('line').hidden"), false);
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}
