//! Prepared statements, cursors and `COM_CHANGE_USER` of the raw client.

use super::{
    answer::Refusal,
    login::{DEPRECATE_EOF, Greeting, LogIn, proof, with_length},
    wire::{CHANGE_USER, Packet, Raw, STMT_EXECUTE, STMT_FETCH, STMT_PREPARE, command},
};

/// Asks for a cursor on `COM_STMT_EXECUTE`.
pub const CURSOR: u8 = 1;

/// A statement that the server has prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Its number.
    pub id: u32,
    /// How many columns it returns.
    pub columns: u16,
    /// How many parameters it takes.
    pub parameters: u16,
}

/// The bytes of a `COM_STMT_EXECUTE` with these texts as parameters.
pub fn execute(id: u32, flags: u8, parameters: &[&str]) -> Vec<u8> {
    let mut body = [&id.to_le_bytes()[..], &[flags], &1_u32.to_le_bytes()].concat();
    if !parameters.is_empty() {
        body.extend(vec![0; parameters.len().div_ceil(8)]);
        body.push(1);
        body.extend([0xfd, 0].repeat(parameters.len()));
        body.extend(parameters.iter().flat_map(|text| with_length(text.as_bytes())));
    }
    command(STMT_EXECUTE, &body)
}

/// The bytes of a `COM_STMT_FETCH`.
pub fn fetch(id: u32, rows: u32) -> Vec<u8> {
    command(STMT_FETCH, &[id.to_le_bytes(), rows.to_le_bytes()].concat())
}

/// The bytes of a `COM_CHANGE_USER`.
pub fn change_user(how: &LogIn<'_>, greeting: &Greeting) -> Vec<u8> {
    let proof = proof(&greeting.plugin, how.password, &greeting.challenge, how.tls.is_some());
    let mut body = [how.user.as_bytes(), b"\0", &with_length(&proof)].concat();
    body.extend([how.database.as_bytes(), b"\0", &[how.collation, 0]].concat());
    body.extend([greeting.plugin.as_bytes(), b"\0"].concat());
    command(CHANGE_USER, &body)
}

impl Prepared {
    fn of(body: &[u8]) -> Option<Self> {
        let rest = body.strip_prefix(&[0])?;
        let (id, rest) = rest.split_first_chunk()?;
        let (columns, rest) = rest.split_first_chunk()?;
        let (parameters, _) = rest.split_first_chunk()?;
        let (columns, parameters) = (u16::from_le_bytes(*columns), u16::from_le_bytes(*parameters));
        Some(Self { id: u32::from_le_bytes(*id), columns, parameters })
    }
}

impl Raw {
    /// Prepares a statement and reads every packet of the answer.
    pub async fn prepare(&mut self, sql: &str) -> Result<(Prepared, Vec<Packet>), Refusal> {
        self.command(STMT_PREPARE, sql.as_bytes()).await;
        let first = self.next().await.ok_or_else(|| Refusal::silence(sql))?;
        let prepared = Prepared::of(&first.body).ok_or_else(|| first.refusal().unwrap_or_default())?;
        let mut packets = vec![first];
        for count in [prepared.parameters, prepared.columns] {
            let ends = usize::from(count > 0 && self.capabilities & DEPRECATE_EOF == 0);
            for _ in 0..usize::from(count) + ends {
                packets.push(self.next().await.ok_or_else(|| Refusal::silence(sql))?);
            }
        }
        Ok((prepared, packets))
    }

    /// Reads some rows of an open cursor.
    pub async fn fetch(&mut self, id: u32, rows: u32) -> Vec<Packet> {
        self.send(&fetch(id, rows)).await;
        let mut packets = Vec::new();
        self.rows(&mut packets).await;
        packets
    }

    /// Becomes somebody else on the same connection.
    pub async fn change_user(&mut self, how: &LogIn<'_>, greeting: &Greeting) -> Result<(), Refusal> {
        self.send(&change_user(how, greeting)).await;
        self.be_admitted(how, greeting).await
    }
}
