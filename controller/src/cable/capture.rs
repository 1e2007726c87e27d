//! `wire.pcapng`: every frame, written as it happens.
//!
//! One section, one interface per network card, one enhanced packet block per frame (the pcapng draft,
//! draft-ietf-opsawg-pcapng). Each block is one `write(2)`, so that a controller that is killed leaves a file that ends with a whole block. A
//! write that fails half way is cut off again.

use super::{LONGEST_FRAME, Port};
use crate::error::{Context, Error, Result};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `if_tsresol`: time stamps count 10^-9 s.
const NANOSECONDS: u8 = 9;

/// The capture. Blocks are laid out in memory and written whole.
pub(super) struct Capture {
    path: PathBuf,
    file: File,
    block: PcapNgWriter<Vec<u8>>,
    /// How much of the file is whole blocks.
    whole: u64,
}

/// A frame to be written.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    /// The port it came in by.
    pub(super) port: usize,
    /// When, since the Unix epoch.
    pub(super) at: Duration,
    /// The frame.
    pub(super) bytes: &'a [u8],
    /// What a reader should know of it.
    pub(super) comment: Option<String>,
}

impl Capture {
    /// Begins the capture at `path`, in place of what is there, with an interface per port. `about` is what its header says beside the
    /// program's name ([`this_computer`], or nothing). All else in it is a function of the ports and of what is written: it has no date of its own.
    pub(super) fn create(path: &Path, ports: &[Port], about: Vec<SectionHeaderOption<'static>>) -> Result<Self> {
        let cannot = || format!("cannot write the capture {}", path.display());
        let file = File::create(path).broken(cannot)?;
        let block = PcapNgWriter::with_section_header(Vec::new(), section(about)).broken(cannot)?;
        let mut capture = Self { path: path.to_owned(), file, block, whole: 0 };
        for port in ports {
            capture.block.write_pcapng_block(interface(port, port.name(ports))).broken(cannot)?;
        }
        capture.flush().broken(cannot)?;
        Ok(capture)
    }

    /// Writes a frame. After an error the file holds the frames before it, and the capture must not be used again.
    pub(super) fn write(&mut self, packet: Packet<'_>) -> Result<()> {
        let mut options = vec![EnhancedPacketOption::Flags(flags(packet.bytes))];
        options.extend(packet.comment.map(|text| EnhancedPacketOption::Comment(Cow::Owned(text))));
        let written = self
            .block
            .write_pcapng_block(EnhancedPacketBlock {
                interface_id: u32::try_from(packet.port).unwrap_or(u32::MAX),
                timestamp: packet.at,
                original_len: u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX),
                data: Cow::Borrowed(packet.bytes),
                options,
            })
            .map_err(|error| error.to_string());
        written.and_then(|_| self.flush().map_err(|error| error.to_string())).map_err(|error| {
            Error::broken(format!("the capture {} stopped: {error}", self.path.display()))
                .help("Free some space where the run's folder is, then run again.")
        })
    }

    /// Writes what is laid out, at once.
    fn flush(&mut self) -> std::io::Result<()> {
        let block = self.block.get_mut();
        let written = self.file.write_all(block);
        match &written {
            Ok(()) => self.whole += block.len() as u64,
            // A torn block would make readers complain about the whole file. That the file cannot be cut (a pipe) changes
            // nothing about the error.
            Err(_) => drop(self.file.set_len(self.whole)),
        }
        block.clear();
        written
    }
}

/// What a header says of the computer that the frames were captured on.
pub(super) fn this_computer() -> Vec<SectionHeaderOption<'static>> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        SectionHeaderOption::Hardware(Cow::Borrowed(std::env::consts::ARCH)),
        SectionHeaderOption::OS(Cow::Owned(format!("Linux {}", release.trim()).trim_end().to_owned())),
    ]
}

fn section(mut options: Vec<SectionHeaderOption<'static>>) -> SectionHeaderBlock<'static> {
    let program = concat!("deadpeer ", env!("CARGO_PKG_VERSION"));
    options.push(SectionHeaderOption::UserApplication(Cow::Borrowed(program)));
    SectionHeaderBlock { endianness: Endianness::Little, options, ..SectionHeaderBlock::default() }
}

fn interface(port: &Port, name: String) -> InterfaceDescriptionBlock<'_> {
    InterfaceDescriptionBlock {
        linktype: DataLink::ETHERNET,
        snaplen: LONGEST_FRAME as u32,
        options: vec![
            InterfaceDescriptionOption::IfName(Cow::Owned(name)),
            InterfaceDescriptionOption::IfDescription(Cow::Owned(format!("host {} on link {}", port.host, port.link))),
            InterfaceDescriptionOption::IfMacAddr(Cow::Borrowed(&port.mac)),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ],
    }
}

/// `epb_flags`: bits 0 and 1 are the direction (01 inbound: every frame is written as it comes in), bits 2 to 4 how it is addressed (1
/// unicast, 2 multicast, 3 broadcast).
fn flags(frame: &[u8]) -> u32 {
    let reception = match frame.first_chunk::<6>() {
        None => 0,
        Some([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) => 3,
        Some(mac) if super::table::is_group(*mac) => 2,
        Some(_) => 1,
    };
    0b01 | reception << 2
}
