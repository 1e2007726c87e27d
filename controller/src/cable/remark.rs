//! Comments on the frames of a capture that is finished, beside those that were written as the frames came.

use crate::error::{Context, Result};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader, PcapNgWriter};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// Copies the capture `from` to the new file `to`, with these comments (`opt_comment`) on its frames, which are numbered from 1. All
/// else stays as it is, to the byte.
///
/// # Errors
/// `from` is no capture, or `to` cannot be written.
pub fn remark(from: &Path, to: &Path, comments: &BTreeMap<u64, Vec<String>>) -> Result<()> {
    let cannot_read = || format!("cannot read the capture {}", from.display());
    let cannot_write = || format!("cannot write the capture {}", to.display());
    let file = File::open(from).broken(cannot_read)?;
    let mut reader = PcapNgReader::new(BufReader::new(file)).broken(cannot_read)?;
    let file = BufWriter::new(File::create(to).broken(cannot_write)?);
    let mut writer = PcapNgWriter::with_section_header(file, reader.section().clone()).broken(cannot_write)?;
    let mut number = 0;
    while let Some(block) = reader.next_block() {
        let mut block = block.broken(cannot_read)?;
        if let Block::EnhancedPacket(packet) = &mut block {
            number += 1;
            let comments = comments.get(&number).into_iter().flatten();
            packet.options.extend(comments.map(|text| EnhancedPacketOption::Comment(Cow::Borrowed(text.as_str()))));
        }
        writer.write_block(&block).broken(cannot_write)?;
    }
    writer.into_inner().flush().broken(cannot_write)
}
