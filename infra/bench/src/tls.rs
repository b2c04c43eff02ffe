//! Serves TLS before the local table, because starts and reads on AWS include TLS.

use std::{path::Path, sync::Arc};

use rcgen::CertifiedKey;
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::Failure;

/// The file with the certificates that the machine trusts. Lambda's image has about as many.
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Listens with TLS before `upstream` (`http://host:port`), until this process ends. Returns the URL. Writes the server's
/// certificate to `own`. Writes the certificates that the machine trusts, and the server's, to `trusted`.
pub(crate) async fn serve(upstream: &str, own: &Path, trusted: &Path) -> Result<String, Failure> {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    tokio::fs::write(own, cert.pem()).await?;
    let others = tokio::fs::read_to_string(TRUSTED).await?;
    tokio::fs::write(trusted, others + &cert.pem()).await?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let upstream = upstream.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let mut client = acceptor.accept(stream).await?;
                let mut server = TcpStream::connect(upstream).await?;
                server.set_nodelay(true)?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    Ok(url)
}
