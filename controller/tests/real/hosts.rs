//! What a lab's hosts can be: a router between two links, and services that their init starts and ends.

use crate::bench::{Bench, Ending, tshark};

/// Runs a scenario of `hosts`, `programs` and `steps`; it must pass.
fn run(hosts: &str, programs: &str, steps: &str, expectations: &str) -> Ending {
    let text = format!(
        "name: bench\ntitle: What hosts can be\nstory: Hosts do what real ones do.\n\
         hosts:\n{hosts}programs:\n{programs}steps:\n{steps}expectations:\n{expectations}"
    );
    let ending = Bench::start(&text, &[], &[]).end();
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    ending.left_nothing();
    ending
}

const ECHO: &str = "  - start: echo-server\n    until: { prints: waiting for connections }\n  \
                    - start: echo-client\n    until: { prints: connected to }\n  \
                    - type: hello\n    into: echo-client\n    until: { prints: hello }\n";

fn claim(name: &str, what: &str) -> String {
    format!("  - name: {name}\n    {what}\n    held: It did.\n    not-held: It did not.\n")
}

#[test]
fn a_router_forwards_or_says_why_not() {
    let hosts = "  client: { addresses: [192.0.2.1, \"2001:db8::1\"], gateway: 192.0.2.254 }\n  \
                 router: { addresses: [192.0.2.254, 198.51.100.254], forward: true }\n  \
                 server: { addresses: [198.51.100.2], gateway: 198.51.100.254 }\n";
    let programs = "  echo-server: { host: server, run: echo-server }\n  \
                    echo-client: { host: client, run: echo-client 198.51.100.2 }\n  \
                    second: { host: client, run: echo-client 198.51.100.2 }\n  \
                    third: { host: client, run: echo-client 198.51.100.2 }\n";
    let steps = format!(
        "{ECHO}  - wait-for-segment: {{ from: client, to: server, kind: data }}\n  \
         - name: unreachable\n    run: ip route add unreachable 198.51.100.2/32\n    host: router\n  \
         - start: second\n    until: ends\n  \
         - run: ip route del unreachable 198.51.100.2/32; ip route del 198.51.100.0/24\n    host: router\n  \
         - start: third\n    until: ends\n"
    );
    let claims = [
        claim("sent-once", "segment: { from: client, to: server, kind: data }\n    count: 1\n    before: unreachable"),
        claim("forwarded-once", "segment: { from: router, to: server, kind: data }\n    count: 1"),
        claim("not-again", "no-segment: { kind: retransmission }\n    before: unreachable"),
        claim("icmp", "segment: { from: router, to: client, kind: icmp }\n    after: unreachable"),
        claim("no-host", "program: second\n    printed: EHOSTUNREACH"),
        claim("no-net", "program: third\n    printed: ENETUNREACH"),
    ];
    let ending = run(hosts, programs, &steps, &claims.concat());
    // A host with one card gives its interface its name, one with two cards tells them apart.
    let fields = ["-Y", "tcp.len>0", "-T", "fields", "-e", "frame.interface_name"];
    let interfaces = tshark(&ending.folder.join("wire.pcapng"), &fields);
    assert_eq!(interfaces.lines().collect::<Vec<_>>(), ["client", "router-eth1", "server", "router-eth0"]);
}

/// A server, and a service that does not hear SIGTERM, on a host that is shut down.
fn shut_down(init: &str, before: &str) -> Ending {
    let hosts = format!("  client: {{}}\n  server: {{ init: {init} }}\n");
    let programs = "  echo-server: { host: server, run: echo-server, service: true }\n  \
                    deaf: { host: server, run: \"sh -c 'trap : TERM; echo deaf; while :; do sleep 1; done'\", service: true }\n  \
                    echo-client: { host: client, run: echo-client 192.0.2.2 }\n";
    let steps =
        format!("{before}  - start: deaf\n    until: {{ prints: deaf }}\n{ECHO}  - name: down\n    shutdown: server\n");
    let claims = [
        claim("ended-in-order", "program: echo-server\n    ended: { signal: TERM }\n    after: down"),
        claim("killed-in-the-end", "program: deaf\n    ended: { signal: KILL }\n    after: down"),
        claim("fin", "segment: { from: server, to: client, flags: [FIN] }\n    count: 1\n    after: down"),
    ];
    run(&hosts, programs, &steps, &claims.concat())
}

/// How long after the end of `echo-server` the end of `deaf` was, in seconds.
fn grace(ending: &Ending) -> u64 {
    let text = std::fs::read_to_string(ending.folder.join("events.jsonl")).unwrap();
    let end = |program: &str| {
        let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let ends = events.filter(|event| event["program"] == program && event["event"] == "ended");
        ends.fold(None, |_, event| Some(event)).unwrap()["at"].as_u64().unwrap()
    };
    (end("deaf") - end("echo-server")) / 1_000_000_000
}

#[test]
fn system_v_init_ends_services_as_debian_s_sendsigs_does() {
    // Ten times a second of sleep, and what the script's commands take.
    let grace = grace(&shut_down("sysvinit", ""));
    assert!((9..40).contains(&grace), "{grace} s");
}

#[test]
fn systemd_ends_services_as_their_units_say() {
    // Its own time-out is 90 s, and a drop-in changes it as on any host.
    let drop_in = "  - run: mkdir -p /run/systemd/system/deaf.service.d && printf '[Service]\\nTimeoutStopSec=4\\n' > /run/systemd/system/deaf.service.d/stop.conf\n    host: server\n";
    let grace = grace(&shut_down("systemd", drop_in));
    assert!((3..20).contains(&grace), "{grace} s");
}

#[test]
fn a_flapping_cable_and_a_black_hole_are_survived_and_told_apart() {
    let hosts = "  client:\n  server:\n";
    let programs = "  echo-server: { host: server, run: echo-server }\n  \
                    echo-client: { host: client, run: echo-client 192.0.2.2 }\n";
    let steps = format!(
        "{ECHO}  - name: hole\n    cable: [{{ drop: all, from: server }}, {{ drop: all, to: server }}]\n  \
         - type: into the hole\n    into: echo-client\n  \
         - wait-for-segment: {{ from: client, kind: retransmission }}\n    after: hole\n  \
         - cable: []\n  - wait-for: echo-client\n    until: {{ prints: into the hole }}\n    within: 30 s\n  \
         - name: flap\n    unplug: server\n  - type: unplugged\n    into: echo-client\n  \
         - wait-for-segment: {{ from: client, kind: retransmission }}\n    after: flap\n  \
         - plug: server\n  - wait-for: echo-client\n    until: {{ prints: unplugged }}\n    within: 30 s\n"
    );
    let claims = [
        claim("server-lost-it", "host: server\n    carrier: lost"),
        claim("client-kept-it", "host: client\n    carrier: kept"),
        claim("nobody-was-told", "program: echo-client\n    ended: never"),
    ];
    run(hosts, programs, &steps, &claims.concat());
}
