//! The guard between a client and a server that are played by hand.
