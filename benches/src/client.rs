//! The cheapest client there is: logs in, and counts bytes.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::lab::Way;

/// A connection that is ready for a statement.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
}

/// A message of this kind; the first of a connection has none.
pub(crate) fn message(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message").to_be_bytes();
    [kind, &length, body].concat()
}

impl Client {
    /// Logs in as an account that the database trusts; a proxy in between may want a password in cleartext.
    pub(crate) async fn connect(way: &Way, account: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", way.port)).await?;
        stream.set_nodelay(true)?;
        let mut startup = 196_608_u32.to_be_bytes().to_vec();
        startup.extend_from_slice(format!("user\0{account}\0database\0{}\0\0", way.database).as_bytes());
        stream.write_all(&message(b"", &startup)).await?;
        let mut client = Self { stream };
        loop {
            let (kind, body) = client.next().await?;
            match kind {
                b'R' if body == [0, 0, 0, 3] => {
                    let password = way.password(account) + "\0";
                    client.stream.write_all(&message(b"p", password.as_bytes())).await?;
                }
                b'Z' => return Ok(client),
                b'E' => return Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
                _ => {}
            }
        }
    }

    /// The next message, read to its exact end.
    pub(crate) async fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 5];
        self.stream.read_exact(&mut header).await?;
        let [kind, length @ ..] = header;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.stream.read_exact(&mut body).await?;
        Ok((kind, body))
    }

    /// Sends a statement.
    pub(crate) async fn send(&mut self, sql: &str) -> io::Result<()> {
        self.stream.write_all(&message(b"Q", format!("{sql}\0").as_bytes())).await
    }

    /// Runs a statement to its end and returns how many bytes it answered.
    pub(crate) async fn count(&mut self, sql: &str) -> io::Result<u64> {
        self.send(sql).await?;
        self.count_to_ready().await
    }

    /// Sends statements one behind the other, and reads the answers to them all.
    pub(crate) async fn pipeline(&mut self, texts: &[String]) -> io::Result<()> {
        let messages: Vec<u8> =
            texts.iter().flat_map(|sql| message(b"Q", format!("{sql}\0").as_bytes())).collect();
        self.stream.write_all(&messages).await?;
        for _ in texts {
            loop {
                let (kind, body) = self.next().await?;
                match kind {
                    b'Z' => break,
                    b'E' => return Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Streams `copies` of a block of lines into a table.
    pub(crate) async fn copy_in(&mut self, sql: &str, block: &[u8], copies: u32) -> io::Result<()> {
        self.send(sql).await?;
        while self.next().await?.0 != b'G' {}
        let data = message(b"d", block);
        for _ in 0..copies {
            self.stream.write_all(&data).await?;
        }
        self.stream.write_all(&message(b"c", b"")).await?;
        self.count_to_ready().await.map(|_| ())
    }

    /// Reads in big pieces until `ReadyForQuery` is what ends a piece. The answers of these benches hold no text that
    /// looks like it.
    async fn count_to_ready(&mut self) -> io::Result<u64> {
        const READY: [u8; 5] = [b'Z', 0, 0, 0, 5];
        let (mut piece, mut count) = (vec![0; 256 * 1024], 0);
        loop {
            let length = self.stream.read(&mut piece).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            count += length as u64;
            let end = piece.get(length.saturating_sub(6)..length).unwrap_or_default();
            if end.starts_with(&READY) {
                return Ok(count);
            }
        }
    }
}
