//! Encrypted connections, and certificates.

use crate::mail::email;
use crate::message::firing;
use crate::receiver::{Manner, serve};
use crate::smtp::{MailSink, Manners};
use crate::{channel, config, sender};
use orrery_api::alerting::{ChannelKind, MailTls};
use orrery_notify::{Config, Outcome, Sender};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio_rustls::TlsAcceptor;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR")))
}

/// Shows the certificate of `localhost`.
fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(fixture("localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key")).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Trusts the authority of the tests.
fn trusting() -> Sender {
    Sender::new(Config { certificates: Some(fixture("authority.pem")), ..config() }).unwrap()
}

#[tokio::test]
async fn https_needs_a_certificate_that_is_trusted_and_the_hosts() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = got.clone();
    tokio::spawn(async move {
        let acceptor = acceptor();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, Manner::Answers(200, "", ""), kept.clone()).await;
            }
        }
    });
    let to = |host: &str| channel(ChannelKind::Webhook { url: format!("https://{host}:{port}/"), secret: None });
    let untrusted = sender().send(&to("localhost"), &firing(), None).await;
    assert!(
        matches!(&untrusted, Outcome::Retry { why, .. } if why.contains("no secure connection to localhost")),
        "{untrusted:?}"
    );
    let other_host = trusting().send(&to("127.0.0.1"), &firing(), None).await;
    assert!(
        matches!(&other_host, Outcome::Retry { why, .. } if why.contains("no secure connection to 127.0.0.1")),
        "{other_host:?}"
    );
    assert!(got.lock().unwrap().is_empty());
    assert_eq!(trusting().send(&to("localhost"), &firing(), None).await, Outcome::Delivered { but: None });
    assert_eq!(got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn mail_is_encrypted_from_the_beginning_or_on_request() {
    let starttls = Manners { starttls: Some(acceptor()), login: true, ..Manners::default() };
    let implicit = Manners { implicit: Some(acceptor()), login: true, ..Manners::default() };
    for (manners, tls) in [(starttls, MailTls::Starttls), (implicit, MailTls::Implicit)] {
        let sink = MailSink::start(manners).await;
        let to = email("localhost", sink.port, tls, Some(("a", "b")));
        let untrusted = sender().send(&to, &firing(), None).await;
        assert!(
            matches!(&untrusted, Outcome::Retry { why, .. } if why.contains("no secure connection")),
            "{untrusted:?}"
        );
        assert!(sink.got().is_empty());
        assert_eq!(trusting().send(&to, &firing(), None).await, Outcome::Delivered { but: None });
        let got = sink.only();
        assert!(got.encrypted && got.login.is_some(), "{got:?}");
    }
}
