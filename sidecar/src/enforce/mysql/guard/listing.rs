//! The answer to `COM_FIELD_LIST` without the columns that the session may not see.

use bytes::BytesMut;
use postern_protocol::mysql::{Capabilities, ColumnDefinition, HEADER_LEN, Header, packet};

use crate::enforce::mysql::same;

/// Looks at the answer to one command. The packets that are left are numbered anew.
#[derive(Debug)]
pub(super) struct Listing {
    /// The columns that may be seen.
    shown: Box<[Box<str>]>,
    capabilities: Capabilities,
    /// Of the next packet for the client.
    number: Option<u8>,
    /// Of a packet that is not here as a whole.
    held: Vec<u8>,
}

impl Listing {
    pub(super) const fn new(shown: Box<[Box<str>]>, capabilities: Capabilities) -> Self {
        Self { shown, capabilities, number: None, held: Vec::new() }
    }

    /// Takes bytes of the answer, and puts what the client gets into `down`.
    pub(super) fn take(&mut self, bytes: &[u8], down: &mut BytesMut) {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some((header, behind)) = rest.split_first_chunk::<HEADER_LEN>() {
            let header = Header::decode(*header);
            let Some((payload, behind)) = behind.split_at_checked(header.length as usize) else { break };
            if self.is_for_the_client(payload) {
                let number = self.number.unwrap_or(header.sequence);
                down.extend_from_slice(&packet(number, payload));
                self.number = Some(number.wrapping_add(1));
            } else {
                self.number.get_or_insert(header.sequence);
            }
            rest = behind;
        }
        self.held = rest.to_vec();
    }

    /// A definition of a column that may be seen, or the end.
    fn is_for_the_client(&self, payload: &[u8]) -> bool {
        if matches!(payload.first(), Some(0xfe | 0xff)) {
            return true;
        }
        let Ok(column) = ColumnDefinition::decode(payload, self.capabilities) else { return false };
        let name = String::from_utf8_lossy(column.org_name);
        self.shown.iter().any(|shown| same(shown, &name))
    }
}
