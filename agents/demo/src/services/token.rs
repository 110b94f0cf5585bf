//! Access tokens: ES256 JWTs with a short life. Time is passed in.

use std::time::Duration;

use anyhow::Context as _;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p256::pkcs8::EncodePrivateKey as _;
use serde::{Deserialize, Serialize};

const ISSUER: &str = "shop-auth";

/// What a token says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) sub: String,
    iss: String,
    iat: i64,
    exp: i64,
}

/// A private key, made anew at every start of auth.
pub(super) struct Signer {
    key: EncodingKey,
    kid: String,
}

impl Signer {
    pub(super) fn generate() -> anyhow::Result<Self> {
        let secret = loop {
            // All but one in 2^32 values are valid P-256 keys.
            if let Ok(secret) = p256::SecretKey::from_slice(&rand::random::<[u8; 32]>()) {
                break secret;
            }
        };
        let key = EncodingKey::from_ec_der(secret.to_pkcs8_der().context("signing key")?.as_bytes());
        Ok(Self { key, kid: format!("{:016x}", rand::random::<u64>()) })
    }

    /// A token for `user` that lives for `ttl` from `now` (unix seconds).
    pub(super) fn sign(&self, user: &str, now: i64, ttl: Duration) -> Result<String, jsonwebtoken::errors::Error> {
        let claims =
            Claims { sub: user.into(), iss: ISSUER.into(), iat: now, exp: now.saturating_add_unsigned(ttl.as_secs()) };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.key)
    }

    /// The public half, as `/.well-known/jwks.json`.
    pub(super) fn public(&self) -> Result<JwkSet, jsonwebtoken::errors::Error> {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256)?;
        jwk.common.key_id = Some(self.kid.clone());
        Ok(JwkSet { keys: vec![jwk] })
    }
}

/// Why a token was not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the access token has expired")]
    Expired,
    #[error("the access token is signed with an unknown key")]
    UnknownKey,
    #[error("the access token is not valid")]
    Invalid,
}

impl TokenError {
    pub(super) fn code(&self) -> &'static str {
        match self {
            TokenError::Expired => "token_expired",
            TokenError::UnknownKey | TokenError::Invalid => "token_invalid",
        }
    }
}

/// Checks signature, issuer and expiry (at `now`, unix seconds) against the public keys.
pub(super) fn verify(token: &str, keys: &JwkSet, now: i64) -> Result<Claims, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let key = header.kid.as_deref().and_then(|kid| keys.find(kid)).ok_or(TokenError::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| TokenError::Invalid)?;
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_issuer(&[ISSUER]);
    rules.validate_exp = false; // against `now`, below
    let claims: Claims = jsonwebtoken::decode(token, &key, &rules).map_err(|_| TokenError::Invalid)?.claims;
    if claims.exp <= now { Err(TokenError::Expired) } else { Ok(claims) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    #[test]
    fn a_token_lives_exactly_as_long_as_promised() {
        let signer = Signer::generate().unwrap();
        let keys = signer.public().unwrap();
        let token = signer.sign("shopper-1", 1000, TTL).unwrap();
        assert_eq!(verify(&token, &keys, 1000).unwrap().sub, "shopper-1");
        assert!(verify(&token, &keys, 1059).is_ok());
        assert_eq!(verify(&token, &keys, 1060), Err(TokenError::Expired));
    }

    #[test]
    fn other_keys_and_tampering_are_refused() {
        let signer = Signer::generate().unwrap();
        let keys = signer.public().unwrap();
        let token = signer.sign("shopper-1", 1000, TTL).unwrap();
        let stranger = Signer::generate().unwrap();
        assert_eq!(verify(&token, &stranger.public().unwrap(), 1000), Err(TokenError::UnknownKey));
        let forged = Signer { key: stranger.key, kid: signer.kid.clone() }.sign("shopper-1", 1000, TTL).unwrap();
        assert_eq!(verify(&forged, &keys, 1000), Err(TokenError::Invalid));
        assert_eq!(verify("x.y.z", &keys, 1000), Err(TokenError::Invalid));
    }
}
