//! A server and a client in one process: a block is pushed, named, and pulled by name.

use carpool_core::{Block, codec};
use carpool_http::{Client, ClientOptions, Server, ServerOptions};
use carpool_store::{BlockStore, MemoryStore};
use std::sync::Arc;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let server = Server::new(Arc::new(MemoryStore::new()), ServerOptions::default());
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });

    let block = Block::new(codec::RAW, "hello".into());
    let near = Arc::new(MemoryStore::new());
    near.put(&block)?;
    let client = Client::new(&url, ClientOptions::default())?;
    let pushed = client.push(*block.cid(), vec![], None, near).await?;
    client.set_name("greeting", pushed.root, None).await?;

    let root = client.name("greeting").await?.expect("it was set").root;
    let far = Arc::new(MemoryStore::new());
    let pulled = client.pull(root, vec![], Arc::clone(&far)).await?;
    println!("{:?} after {} requests", far.get(&root)?, pulled.totals.requests);
    Ok(())
}
