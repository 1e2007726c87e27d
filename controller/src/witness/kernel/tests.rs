#![allow(clippy::unwrap_used)]
use super::recording::Recording;
use crate::timeline::LabTime;
use deadpeer_guest::recorder::Reader;

#[test]
fn scratch() {
    for name in std::env::var("RECORDINGS").unwrap().split(' ') {
        let mut reader = Reader::new(std::fs::File::open(name).unwrap());
        let mut recording = Recording::new("host");
        let mut drained = 0;
        while let Some(found) = reader.next().unwrap() {
            if format!("{found:?}").contains("Drained") {
                drained += 1;
            }
            recording.take(found, LabTime(0));
        }
        let (boots, damage) = recording.end();
        println!("{name}: {} boots, {drained} drained", boots.len());
        for boot in &boots {
            for event in &boot.events {
                println!("{}", serde_json::to_string(event).unwrap());
            }
            println!("sent {:?}\nreceived {:?}", boot.sent, boot.received);
            println!(
                "{damage:?} {:?} traced {} lost {} last {} drained {}",
                boot.problems, boot.traced, boot.lost, boot.last, boot.drained
            );
        }
    }
}
