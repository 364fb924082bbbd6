"""Makes pyjwt.json: tokens as PyJWT makes them (pip install "PyJWT[crypto]"; these are of 2.15.1).

Each is issued at 2026-01-15T10:30:00Z and expires a quarter of an hour later.
"""

import json
import pathlib

import jwt

SECRET = "a secret of forty characters, for tests."
OTHER_SECRET = "another secret of fortytwo characters, too"
# RFC 8037, appendix A.1.
PRIVATE_KEY = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""

ISSUED = 1768473000
CLAIMS = {"sub": "USR_7K2M9QXA", "jti": "0f8fad5b", "iat": ISSUED, "exp": ISSUED + 900}


def hs256(claims, secret=SECRET, **kwargs):
    return jwt.encode(claims, secret, algorithm="HS256", **kwargs)


def eddsa(claims):
    return jwt.encode(claims, PRIVATE_KEY, algorithm="EdDSA")


def without(name):
    return {key: value for key, value in CLAIMS.items() if key != name}


vectors = {
    "hs256": {"plain": hs256(CLAIMS), "with_fractions": hs256(CLAIMS | {"iat": ISSUED + 0.25})},
    "eddsa": {"plain": eddsa(CLAIMS)},
    "of_others": {
        "another secret": hs256(CLAIMS, OTHER_SECRET),
        "HS512": jwt.encode(CLAIMS, SECRET + SECRET, algorithm="HS512"),
        "none": jwt.encode(CLAIMS, None, algorithm="none"),
        "EdDSA where HS256 is expected": eddsa(CLAIMS),
        "critical extension": hs256(CLAIMS, headers={"crit": ["b64"], "b64": True}),
    },
    "absurd": {
        "no sub": hs256(without("sub")),
        "no jti": hs256(without("jti")),
        "no iat": hs256(without("iat")),
        "no exp": hs256(without("exp")),
        "empty sub": hs256(CLAIMS | {"sub": ""}),
        "empty jti": hs256(CLAIMS | {"jti": ""}),
        "expires before it is issued": hs256(CLAIMS | {"exp": ISSUED - 1}),
        "issued in a year": hs256(CLAIMS | {"iat": ISSUED + 31536000, "exp": ISSUED + 31537000}),
        "not before tomorrow": hs256(CLAIMS | {"nbf": ISSUED + 86400}),
        "expires after the end of time": hs256(CLAIMS | {"exp": 10**18}),
        "issued before 1970": hs256(CLAIMS | {"iat": -1}),
    },
    "refresh": {
        "Flask-JWT-Extended": hs256(CLAIMS | {"type": "refresh"}),
        "djangorestframework-simplejwt": hs256(CLAIMS | {"token_type": "refresh"}),
        "Cognito": hs256(CLAIMS | {"token_use": "refresh"}),
        "Keycloak": hs256(CLAIMS | {"typ": "Refresh"}),
    },
    "for_parties": {
        "both": hs256(CLAIMS | {"iss": "https://auth.example.com", "aud": "markt"}),
        "several audiences": hs256(CLAIMS | {"iss": "https://auth.example.com", "aud": ["shop", "markt"]}),
    },
    "for_other_parties": {
        "no issuer": hs256(CLAIMS | {"aud": "markt"}),
        "no audience": hs256(CLAIMS | {"iss": "https://auth.example.com"}),
        "another issuer": hs256(CLAIMS | {"iss": "https://auth.example.com/", "aud": "markt"}),
        "another audience": hs256(CLAIMS | {"iss": "https://auth.example.com", "aud": ["shop"]}),
    },
}
path = pathlib.Path(__file__).with_name("pyjwt.json")
path.write_text(json.dumps(vectors, indent=1) + "\n")
