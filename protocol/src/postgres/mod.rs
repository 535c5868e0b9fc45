//! PostgreSQL: framing, start-up, authentication, and the messages that Postern says itself.
