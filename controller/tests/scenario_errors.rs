//! What is told for every class of bad input, word for word: `tests/scenario/errors/*.txt`, rewritten with
//! `UPDATE_ERRORS=1`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod scenario;

use deadpeer::scenario::parse;

const BASE: &str = include_str!("scenario/base.yaml");

/// A class of bad input: its name, and the changes that make it of the base: what stands there, what shall.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

/// Places of the base where the cases put their steps and expectations.
const LAST_STEP: &str = "    until: { prints: hello }\n";
const FIRST_CLAIM: &str = "    no-segment: { from: server, flags: [RST] }\n";

const CASES: &[Case] = &[
    // The shape of the file.
    ("unknown-field", &[("title:", "tittle:")]),
    ("unknown-field-far-from-any", &[("title:", "colour:")]),
    ("unknown-verb", &[("- start: echo-server", "- strat: echo-server")]),
    ("wrong-type-list-for-text", &[("title: A scenario without a fault", "title: [a, b]")]),
    ("wrong-type-text-for-list", &[("flags: [RST]", "flags: RST")]),
    ("wrong-type-text-for-map", &[("{ memory: 256 MiB }", "large")]),
    ("wrong-type-map-for-text", &[("printed: hello", "printed: hello: world")]),
    ("unknown-variant", &[(LAST_STEP, "    until: end\n")]),
    ("within-in-until", &[(LAST_STEP, "    until: { prints: hello, within: 5 s }\n")]),
    ("ended-as-a-number", &[("printed: hello", "ended: 1")]),
    ("two-claims", &[(FIRST_CLAIM, "    no-segment: { from: server }\n    segment: { from: client }\n")]),
    ("duplicate-key", &[("title:", "name: again\ntitle:")]),
    ("duplicate-host", &[("  server: {", "  client: {")]),
    ("tab", &[("  - name: line", "\t- name: line")]),
    ("multiple-documents", &[("expectations:", "---\nexpectations:")]),
    ("merge-key", &[("  server: {", "  server: { <<: { init: systemd },")]),
    ("unknown-anchor", &[("title: A", "title: *A")]),
    ("not-yaml", &[("until: { prints: hello }", "until: { prints: hello")]),
    ("bad-indentation", &[("    type: hello", "   type: hello")]),
    // What is missing.
    ("missing-title", &[("title: A scenario without a fault\n", "")]),
    (
        "missing-fields",
        &[
            ("host: server, ", ""),
            ("    into: echo-client\n", ""),
            ("    program: echo-client\n", ""),
            ("    not-held: All is not well.\n", ""),
        ],
    ),
    (
        "missing-values",
        &[("title: A scenario without a fault", "title:"), ("type: hello", "type:"), ("into: echo-client", "into:")],
    ),
    ("empty-lists", &[("flags: [RST]", "flags: []"), ("client:\n", "client: { addresses: [] }\n")]),
    ("empty-texts", &[("title: A scenario without a fault", "title: ''"), ("printed: hello", "printed: \"\"")]),
    ("no-verb", &[(LAST_STEP, "    until: { prints: hello }\n  - name: nothing\n  - within: 5 s\n")]),
    ("two-verbs", &[("    type: hello\n", "    type: hello\n    power-off: server\n")]),
    (
        "foreign-fields",
        &[
            (LAST_STEP, "    until: ends\n  - power-off: server\n    into: echo-client\n    within: 5 s\n"),
            (FIRST_CLAIM, "    host: server\n    boot-id: kept\n    after: line\n"),
        ],
    ),
    ("within-without-until", &[(LAST_STEP, "    within: 5 s\n")]),
    // Names.
    (
        "name-form",
        &[
            ("name: base", "name: Base Case"),
            ("  - name: line", "  - name: 1st_line"),
            ("after: line", "after: 1st_line"),
        ],
    ),
    ("name-too-long", &[("  client:\n", "  client:\n  a-host-with-a-name-that-is-much-too-long:\n")]),
    ("name-latest", &[("name: base", "name: latest"), ("  client:\n", "  client:\n  localhost:\n")]),
    ("undefined-host", &[("host: server", "host: sever"), ("from: server", "from: router")]),
    ("undefined-program", &[("start: echo-client", "start: echo-clinet"), ("into: echo-client", "into: tcpdump")]),
    ("undefined-step", &[("after: line", "after: lien")]),
    ("host-for-program", &[("into: echo-client", "into: client"), ("from: server", "from: echo-server")]),
    ("duplicate-step-name", &[("  - name: line", "  - name: connect"), ("after: line", "after: connect")]),
    ("duplicate-expectation-name", &[("  - name: echo\n", "  - name: no-reset\n")]),
    // Quantities.
    ("time-without-unit", &[("within: 5 s", "within: 5")]),
    ("time-with-wrong-unit", &[("within: 5 s", "within: 5 seconds")]),
    (
        "time-of-no-kind",
        &[("within: 5 s", "within: soon"), (LAST_STEP, "    until: ends\n    within: -1 s\n  - pause: 25 h\n")],
    ),
    ("time-zero", &[("within: 5 s", "within: 0 ms")]),
    (
        "memory",
        &[
            ("memory: 256 MiB", "memory: 256"),
            ("client:\n", "client: { memory: 1 MiB }\n  third: { memory: 64 GiB }\n  fourth: { memory: 1 GB }\n"),
        ],
    ),
    ("addresses", &[("client:\n", "client: { addresses: [10.0.0.1/24, 192.0.2.0/24, 192.0.2.9/16, localhost] }\n")]),
    (
        "duplicate-address",
        &[
            ("client:\n", "client: { addresses: [192.0.2.2] }\n"),
            ("{ memory: 256 MiB }", "{ addresses: [192.0.2.2/24] }"),
        ],
    ),
    ("sysctl", &[("{ memory: 256 MiB }", "{ sysctl: { net/ipv4/tcp_retries2: 5, tcp: 1, net.x: '' } }")]),
    ("init", &[("memory: 256 MiB", "init: systemD")]),
    (
        "signal",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - { signal: SIGTERM, to: echo-server }\n  - { signal: 9, to: echo-server }\n",
        )],
    ),
    ("exit-status", &[("printed: hello", "ended: { exit: 256 }")]),
    ("count", &[(FIRST_CLAIM, "    segment: { from: server }\n    count: 0\n")]),
    ("kinds-and-flags", &[("flags: [RST]", "flags: [rst, FIM], kind: pure-akc")]),
    ("kind-against-flags", &[("flags: [RST]", "flags: [ACK], kind: syn")]),
    ("any-segment-at-all", &[("{ from: server, flags: [RST] }", "{}")]),
    (
        "same-host-twice",
        &[
            ("{ from: server, flags: [RST] }", "{ from: server, to: server }"),
            (LAST_STEP, "    until: { prints: hello }\n  - cable: [{ drop: all, from: client, to: client }]\n"),
        ],
    ),
    (
        "answering-without-rst",
        &[(FIRST_CLAIM, "    segment: { from: server, kind: data }\n    answering: { from: client }\n")],
    ),
    (
        "rules",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - cable: [{ drop: everything }, { delay: data }, { from: client }, { pass: all, by: 1 s }, { drop: all, pass: all }]\n",
        )],
    ),
    ("command-for-a-shell", &[("run: echo-server", "run: echo-server > log")]),
    ("command-without-end", &[("run: echo-server", "run: \"echo 'x\"")]),
    ("typed-control-character", &[("type: hello", "type: \"\\x04\"")]),
    ("typed-lines", &[("type: hello", "type: \"a\\nb\"")]),
    // The order of the steps.
    (
        "type-before-start",
        &[("    start: echo-client\n    until: { prints: connected to }\n    within: 5 s\n", "    pause: 1 s\n")],
    ),
    ("start-twice", &[(LAST_STEP, "    until: { prints: hello }\n  - start: echo-client\n")]),
    ("start-on-host-that-is-off", &[("  - start: echo-server\n", "  - power-off: server\n  - start: echo-server\n")]),
    ("after-its-end", &[(LAST_STEP, "    until: ends\n  - signal: TERM\n    to: echo-client\n")]),
    (
        "after-end-of-input",
        &[(LAST_STEP, "    until: { prints: hello }\n  - end-input: echo-client\n  - end-input: echo-client\n")],
    ),
    (
        "after-its-host-went-down",
        &[(LAST_STEP, "    until: { prints: hello }\n  - reset: client\n  - type: more\n    into: echo-client\n")],
    ),
    (
        "power",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - power-on: server\n  - power-off: server\n  - shutdown: server\n  - power-off: server\n  - run: ls\n    host: server\n",
        )],
    ),
    (
        "plug",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - plug: client\n  - unplug: client\n  - unplug: client\n  - power-off: server\n  - unplug: server\n",
        )],
    ),
    ("after-not-before", &[(FIRST_CLAIM, "    no-segment: { from: server }\n    after: line\n    before: connect\n")]),
    (
        "never-started",
        &[
            ("  - start: echo-server\n    until: { prints: waiting for connections }\n", ""),
            ("    program: echo-client\n", "    program: echo-server\n"),
        ],
    ),
    ("never-in-a-part", &[("printed: hello", "ended: never")]),
    // Bounds of numbers.
    (
        "count-bounds",
        &[
            (FIRST_CLAIM, "    segment: { from: server }\n    count: { at-least: 4, at-most: 1 }\n"),
            ("    printed: hello\n    after: line\n", "    zombies: { at-least: 0 }\n"),
        ],
    ),
    ("count-without-bounds", &[(FIRST_CLAIM, "    segment: { from: server }\n    count: {}\n")]),
    ("count-as-a-list", &[(FIRST_CLAIM, "    segment: { from: server }\n    count: [1, 2]\n")]),
    ("count-unknown-bound", &[(FIRST_CLAIM, "    segment: { from: server }\n    count: { least: 1 }\n")]),
    ("count-of-no-kind", &[(FIRST_CLAIM, "    segment: { from: server }\n    count: several\n")]),
    // What kernels tell.
    ("call-of-no-kind", &[("printed: hello", "call: { is: recv, descriptor: socket, returns: [ECONRESET, -1, EOF] }")]),
    ("call-without-is", &[("printed: hello", "call: { returns: ECONNRESET }")]),
    ("call-with-a-foreign-part", &[("printed: hello", "call: { is: read, errno: ECONNRESET }")]),
    ("call-not-like-this", &[("printed: hello", "no-call: { is: connect, descriptor: input }")]),
    ("call-without-results", &[("printed: hello", "call: { is: read, returns: [] }")]),
    ("call-never-counted", &[("    printed: hello\n", "    no-call: { is: read }\n    count: 2\n")]),
    ("call-none", &[("    printed: hello\n", "    call: { is: read }\n    count: 0\n")]),
    ("signal-claims", &[("printed: hello", "delivered: { signal: SIGPIPE, disposition: caught }")]),
    ("signal-outcome", &[("printed: hello", "never-sent: { signal: TERM, outcome: merge }")]),
    ("states", &[(FIRST_CLAIM, "    host: server\n    state: { from: ESTABLISHED, to: TIME_WAIT }\n")]),
    ("state-unchanged", &[(FIRST_CLAIM, "    host: server\n    no-state: { from: LISTEN, to: LISTEN }\n")]),
    ("state-of-nothing", &[(FIRST_CLAIM, "    host: server\n    state: {}\n")]),
    ("tcp", &[(FIRST_CLAIM, "    host: server\n    tcp: reset\n")]),
    ("kernel-claims-of-whom", &[(FIRST_CLAIM, "    host: server\n    call: { is: read }\n")]),
    (
        "zombies-of-what-never-ran",
        &[
            ("  - start: echo-server\n    until: { prints: waiting for connections }\n", ""),
            (FIRST_CLAIM, "    program: echo-server\n    zombies: 0\n"),
        ],
    ),
    // Waiting for the wire and for kernels.
    (
        "awaited-of-a-host-that-is-off",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - power-off: server\n  - wait-for-state: { to: CLOSED }\n    host: server\n",
        )],
    ),
    (
        "awaited-after-a-later-step",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - wait-for-segment: { kind: fin }\n    after: late\n  - name: late\n    pause: 1 s\n",
        )],
    ),
    (
        "awaited-already",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  \
             - name: fin\n    wait-for-segment: { kind: fin }\n  - wait-for-segment: { kind: fin }\n    after: fin\n  \
             - wait-for-segment: { kind: fin }\n  \
             - wait-for-state: { to: CLOSED }\n    host: server\n    after: fin\n  \
             - wait-for-state: { to: CLOSED }\n    host: server\n",
        )],
    ),
    (
        "awaited-nothing",
        &[(
            LAST_STEP,
            "    until: { prints: hello }\n  - wait-for-segment: {}\n  - wait-for-state: {}\n    host: server\n",
        )],
    ),
    (
        "awaited-until",
        &[(LAST_STEP, "    until: { prints: hello }\n  - wait-for-state: { to: CLOSED }\n    until: ends\n")],
    ),
    // Services, kernels and routers.
    (
        "service-is-typed-into",
        &[
            ("run: echo-client 192.0.2.2 }", "run: echo-client 192.0.2.2, service: true }"),
            (LAST_STEP, "    until: { prints: hello }\n  - end-input: echo-client\n"),
        ],
    ),
    ("service-of-no-kind", &[("run: echo-server }", "run: echo-server, service: yes }")]),
    ("kernel", &[("{ memory: 256 MiB }", "{ kernel: bookwrom }")]),
    (
        "boxes",
        &[
            ("client:\n", "client: { box: deb ian }\n"),
            ("{ memory: 256 MiB }", "{ box: debian/bookworm64, kernel: trixie, init: sysvinit }"),
        ],
    ),
    (
        "gateways",
        &[
            (
                "  client:\n",
                "  client: { gateway: 192.0.2.9 }\n  router: { forward: true }\n  other: { gateway: 192.0.2.3 }\n",
            ),
            ("{ memory: 256 MiB }", "{ addresses: [198.51.100.2], gateway: 192.0.2.254 }"),
        ],
    ),
    ("gateway-of-nobody", &[("  client:\n", "  client: { gateway: 192.0.2.254 }\n")]),
    ("gateway-form", &[("  client:\n", "  client: { gateway: 192.0.2.2/24 }\n  third: { gateway: server }\n")]),
    ("router-on-one-link", &[("{ memory: 256 MiB }", "{ addresses: [192.0.2.2], forward: true }")]),
    ("address-on-neither-link", &[("{ memory: 256 MiB }", "{ addresses: ['2001:db8:7::2'] }")]),
];

#[test]
fn every_class_of_bad_input_is_told_in_these_words() {
    for (name, changes) in CASES {
        let mut text = BASE.to_owned();
        for (from, to) in *changes {
            assert!(text.contains(from), "{name}: the base has no {from:?}");
            text = text.replacen(from, to, 1);
        }
        told(name, &text);
    }
}

#[test]
fn texts_that_are_no_scenario_at_all() {
    let many_hosts: String = (0..17).map(|n| format!("  h{n}:\n")).collect();
    let bomb: String =
        (1..9).map(|n| format!("  a{n}: &a{n} [*a{0},*a{0},*a{0},*a{0},*a{0},*a{0},*a{0}]\n", n - 1)).collect();
    let cases = [
        ("empty", String::new()),
        ("comments-alone", "# nothing\n---\n".to_owned()),
        ("a-list", "- a\n- b\n".to_owned()),
        ("a-word", "crash-reboot".to_owned()),
        ("binary", "name: x\ntitle: \0\u{1}\n".to_owned()),
        ("too-large", format!("name: {}\n", "x\n".repeat(1 << 20))),
        ("long-line", format!("name: {}\n", "x".repeat(3000))),
        ("nested-too-deep", format!("name: {}\n", "[".repeat(500))),
        ("bomb", format!("hosts:\n  a0: &a0 [x,x,x,x,x,x,x]\n{bomb}")),
        ("many-aliases", BASE.replace("flags: [RST]", &format!("flags: [&a RST{}]", ", *a".repeat(200)))),
        ("bomb-in-place", BASE.replace("flags: [RST]", "flags: &a [RST, *a]")),
        ("a-name-without-end", BASE.replace("from: server", &format!("from: \"{}\"", "very\n ".repeat(100_000)))),
        ("too-many-nodes", format!("steps:\n{}", "- pause: 1 s\n".repeat(20_000))),
        ("too-many-hosts", BASE.replace("  client:\n", &format!("  client:\n{many_hosts}"))),
        ("too-many-steps", BASE.replace("steps:\n", &format!("steps:\n{}", "  - pause: 1 s\n".repeat(501)))),
    ];
    for (name, text) in cases {
        told(name, &text);
    }
}

#[test]
fn more_problems_than_a_person_reads_are_counted() {
    let text = BASE.replace("steps:\n", &format!("steps:\n{}", "  - pause: 1\n".repeat(30)));
    let shown = parse("base.yaml", &text).unwrap_err().to_string();
    assert!(shown.ends_with("and 10 more"), "{shown}");
}

#[test]
fn the_base_is_a_scenario() {
    parse("base.yaml", BASE).unwrap_or_else(|problems| panic!("{problems}"));
}

/// Compares what is told about `text` with the committed words.
fn told(name: &str, text: &str) {
    let problems = match parse("base.yaml", text) {
        Ok(_) => panic!("{name} is taken for a scenario:\n{text}"),
        Err(problems) => problems,
    };
    let error = deadpeer::error::Error::from(problems);
    assert_eq!(error.kind.exit_code(), 64);
    scenario::is_current(
        &format!("controller/tests/scenario/errors/{name}.txt"),
        &format!("{error}\n"),
        "UPDATE_ERRORS",
    );
}
