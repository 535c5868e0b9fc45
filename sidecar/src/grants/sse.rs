//! Server-sent events: from chunks of a response to the data of each event.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>; of its fields only `data` matters here, because
//! what an event says of itself outside the signed data is not believed.

/// One event of the feed holds at most a part of a snapshot.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// The stream holds an event longer than any that a control plane sends, or is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the feed is no stream of events")]
pub(crate) struct NoEvents;

/// Collects chunks until an event is whole.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl EventReader {
    /// Takes the next chunk and returns the data of the events that it completes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<String>, NoEvents> {
        let mut events = Vec::new();
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() + self.data.len() > MAX_EVENT {
                return Err(NoEvents);
            }
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if let Some(event) = self.end_of_line(line.trim_ascii_end())? {
                    events.push(event);
                }
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self, line: &[u8]) -> Result<Option<String>, NoEvents> {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return if data.is_empty() {
                Ok(None)
            } else {
                String::from_utf8(data).map(Some).map_err(|_| NoEvents)
            };
        }
        if let Some(data) = line.strip_prefix(b"data:") {
            if !self.data.is_empty() {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.trim_ascii_start());
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_whole_however_they_are_cut() {
        let stream = b": hello\n\nevent: gate\nid: 1\ndata: one\n\nevent: gate\r\ndata: two\r\ndata: lines\r\n\r\ndata: cut";
        for size in 1..stream.len() {
            let mut reader = EventReader::default();
            let events: Vec<_> = stream.chunks(size).flat_map(|chunk| reader.push(chunk).unwrap()).collect();
            assert_eq!(events, ["one", "two\nlines"], "chunks of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut reader = EventReader::default();
        let chunk = vec![b'x'; 1 << 20];
        assert!((0..20).any(|_| reader.push(&chunk).is_err()));
    }
}
