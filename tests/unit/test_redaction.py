"""Secrets go, everything else stays."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept.domain.redaction import redact, redact_value

SECONDS = 1.0
R = "A1b2C3d4E5f6G7h8I9j0"  # random-looking filler; no real key has this shape twice over

# Text, then what is left of it.
SECRETS = [
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- end", "[redacted:private_key] end"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----", "[redacted:private_key]"),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQ\n-----END PGP PRIVATE KEY BLOCK-----", "[redacted:private_key]"),
    (f"cut off: -----BEGIN PRIVATE KEY-----\n{R * 2}\nrest", "cut off: [redacted:private_key]"),
    ("a <private>b</private> c", "a [redacted:private] c"),
    ("a <PRIVATE>b<private>c</private>d</Private> e", "a [redacted:private] e"),
    ("a <private>b and no end", "a [redacted:private]"),
    ('a <private reason="mine">b</private> c', "a [redacted:private] c"),
    (f"AKIA{'ABCDEFGHIJKLMNO2'}", "[redacted:aws]"),
    (f"ghp_{R}{R}", "[redacted:github]"),
    (f"gho_{R}{R}", "[redacted:github]"),
    (f"github_pat_{R}_{R}", "[redacted:github]"),
    (f"glpat-{R}", "[redacted:gitlab]"),
    ("xoxb-123456789012-abcdefABCDEF", "[redacted:slack]"),
    (f"https://hooks.slack.com/services/T000/B000/{R}", "https://hooks.slack.com/services/[redacted:webhook]"),
    (f"sk-ant-api03-{R}", "[redacted:anthropic]"),
    (f"sk-proj-{R}", "[redacted:openai]"),
    (f"sk-{R}{R}", "[redacted:openai]"),
    (f"AIza{R}{R[:15]}", "[redacted:google]"),
    (f"sk_live_{R}", "[redacted:stripe]"),
    (f"whsec_{R}{R}", "[redacted:stripe]"),
    (f"npm_{R}{R}", "[redacted:npm]"),
    (f"pypi-{R}{R}{R}", "[redacted:pypi]"),
    (f"hf_{R}{R}", "[redacted:huggingface]"),
    (f"SG.{R}.{R}", "[redacted:sendgrid]"),
    ("SK" + "0123456789abcdef" * 2, "[redacted:twilio]"),
    (f"kept_{R}", "[redacted:kept]"),
    (f"m0-{R}", "[redacted:mem0]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123-_", "[redacted:jwt]"),
    ("Authorization: Bearer abcdef", "Authorization: Bearer [redacted:authorization]"),
    ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted:authorization]"),
    (f"curl -H 'authorization: Bearer {R}'", "curl -H 'authorization: Bearer [redacted:authorization]'"),
    (f"use bearer {R} here", "use bearer [redacted:authorization] here"),
    ("postgres://app:hunter2@db:5432/x", "postgres://app:[redacted:url_password]@db:5432/x"),
    ("redis://:s3cr3t@localhost", "redis://:[redacted:url_password]@localhost"),
    ("mysql://root:p@ss/w0rd@host/db", "mysql://root:[redacted:url_password]@host/db"),
    ("https://abcdefghij1234567890@example.org/a", "https://[redacted:url_password]@example.org/a"),
    ("password=hunter2", "password=[redacted:password]"),
    ('{"password": "swordfish"}', '{"password": "[redacted:password]"}'),
    ('{\\"password\\": \\"swordfish\\"}', '{\\"password\\": \\"[redacted:password]\\"}'),
    ("my password: swordfish", "my password: [redacted:password]"),
    ("my password: swordfish, keep it", "my password: [redacted:password], keep it"),
    ("**Password:** hunter2", "**Password:** [redacted:password]"),
    ("the password is hunter2.", "the password is [redacted:password]."),
    ("DB_PASSWORD=abc123", "DB_PASSWORD=[redacted:password]"),
    ("password: str = 'abc123x'", "password: str = '[redacted:password]'"),
    ("--password hunter2", "--password [redacted:password]"),
    ("curl -u admin:letmein https://x", "curl -u admin:[redacted:password] https://x"),
    ("Server=db;User Id=sa;Password=Pa55w0rd;", "Server=db;User Id=sa;Password=[redacted:password];"),
    ("AccountKey=abc123/+==;EndpointSuffix", "AccountKey=[redacted:secret];EndpointSuffix"),
    ("api_key: 0123456789abcdef", "api_key: [redacted:secret]"),
    ("apiKey = 'abcdEFGH1234'", "apiKey = '[redacted:secret]'"),
    ("export OPENAI_API_KEY=abcd1234efgh", "export OPENAI_API_KEY=[redacted:secret]"),
    ("secret: s3cr3t99", "secret: [redacted:secret]"),
    ("/path?token=abcd1234efgh&x=1", "/path?token=[redacted:secret]&x=1"),
    ("if token == 'abc123':", "if token == '[redacted:secret]':"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzKEY", "aws_secret_access_key = [redacted:secret]"),
    (f"line one\\nsk-ant-{R} in JSON", "line one\\n[redacted:anthropic] in JSON"),
    ("a < private >b< / private > c", "a [redacted:private] c"),
    ("a <private " + "why " * 60 + ">b</private> c", "a [redacted:private] c"),
    ("a &lt;private&gt;b&lt;/private&gt; c", "a [redacted:private] c"),
    ("a &lt;private x=1&gt;b</private> c", "a [redacted:private] c"),
    (f"my_sk-ant-{R}", "my_[redacted:anthropic]"),
    (f"keyghp_{R}{R}", "key[redacted:github]"),
    (f"q=%20ghp_{R}{R}", "q=%20[redacted:github]"),
    (f"\x1b[31mghp_{R}{R}\x1b[0m", "\x1b[31m[redacted:github]\x1b[0m"),
    (f"\x1b[31msk-proj-{R}", "\x1b[31m[redacted:openai]"),
    (f"%20hf_{R}{R}", "%20[redacted:huggingface]"),
    (f"ghp_{R[:9]}\u200b{R}{R}", "[redacted:github]"),
    (f"sk-\xadproj-{R[:5]}\u200d{R}", "[redacted:openai]"),
    ("pass\u200bword=hunter2", "password=[redacted:password]"),
    ("pw=hunter2", "pw=[redacted:password]"),
    ("DB_PASS=swordfish", "DB_PASS=[redacted:password]"),
    ("user: ann, pass: hunter2", "user: ann, pass: [redacted:password]"),
    ('{"pass": "hunter22"}', '{"pass": "[redacted:password]"}'),
    ("passwd: hunter2", "passwd: [redacted:password]"),
    ("Passwort: hunter2", "Passwort: [redacted:password]"),
    ("Das Passwort ist hunter2", "Das Passwort ist [redacted:password]"),
    ("password\uff1dhunter2", "password\uff1d[redacted:password]"),
    ("password\uff1ahunter2", "password\uff1a[redacted:password]"),
    ("<password>swordfish</password>", "<password>[redacted:secret]</password>"),
    ("<api_key>abc def</api_key>", "<api_key>[redacted:secret]</api_key>"),
    ("I set the password to hunter2.", "I set the password to [redacted:password]."),
    ("changed the db password to sw*rdf!sh today", "changed the db password to [redacted:password] today"),
    ("the password is sw*rdf!sh", "the password is [redacted:password]"),
    ("mysql -u root -phunter2 shop", "mysql -u root -p[redacted:password] shop"),
    ("mysqldump -h db -p'swordfish' shop", "mysqldump -h db -p'[redacted:password]' shop"),
    ("Cookie: sessionid=38afes7a8b; theme=dark", "Cookie: sessionid=[redacted:secret]; theme=dark"),
    ("https://b.example/f?sv=1&sig=a%2Fbc%3D&se=2", "https://b.example/f?sv=1&sig=[redacted:secret]&se=2"),
    ("https://b.example/f?token=abc.defg", "https://b.example/f?token=[redacted:secret]"),
    ("machine h.example login ann password swordfish", "machine h.example login ann password [redacted:password]"),
    (
        "machine h.example\n  login ann\n  password swordfish",
        "machine h.example\n  login ann\n  password [redacted:password]",
    ),
    ("secret: |\n  swordfish\n  tuna\nname: x", "secret: |\n  [redacted:secret]\nname: x"),
    ("  password: >-\n    swordfish", "  password: >-\n    [redacted:secret]"),
]

NO_SECRETS = [
    "",
    "the password field is required",
    "password: required",
    "password=<your-password>",
    "api_key=${API_KEY}",
    "api_key=your-api-key",
    "token: xxx",
    "password: ****",
    "secret: none",
    "password: Optional[str] = None",
    "token = get_token()",
    "const token = await getToken(user)",
    "token=token",
    "api_key=settings.api_key",
    "password = os.environ['X']",
    "secret=data.secret",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "id 550e8400-e29b-41d4-a716-446655440000",
    "max_tokens=4096 and token_count: 512 and tokens: 1200",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
    "http://localhost:8080/a@b",
    "http://example.org:80/x?mail=a@b.c",
    "git@github.com:org/repo.git and ssh://git@github.com/org/repo",
    "the bearer of bad news and responsibilities",
    "sk-learn-contrib-extensions-package",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "Authorization: Bearer $TOKEN",
    "Authorization: Bearer <token>",
    "docker run -u 1000:1000 x",
    "pwd: /home/user",
    "The secret to success: patience and work",
    "the token is invalid",
    "Look for -----BEGIN RSA PRIVATE KEY----- in the file.",
    "a stray </private> tag",
    "primary key: user_id",
    "secret santa: Caroline",
    "if password == confirm_password:",
    "token is a JWT",
    "The password is stored hashed with argon2id",
    "password: z.string().min(8)",
    "pass the --token flag to the command",
    "\0 \ud800",
    "a <private-key> to fill in, and the rest",
    "private talk, 1 < private matters",
    "PASS: test_login2 and FAIL: test_logout3",
    "second pass: optimise",
    "pass=12345 fail=2",
    "compass: north24 and bypass=abc123x",
    "send the token to server1",
    "set the password to something else",
    "the password is stored/hashed",
    "session_id=550e8400-e29b-41d4-a716-446655440000",
    "mysql -p shop and mysql -P 3306",
    "machine learning login page password reset",
    "?token=<token>&sig=${SIG}",
    "description: |\n  a long text",
    "secret: |\n  <your-secret>",
    "<token></token> and <b>bold</b>",
    "disk-usage-2026-01-01-report-number-5 and task_test_configuration",
    "an emoji 👩\u200d💻 and a soft\xadhyphen",
]


@pytest.mark.parametrize(("text", "left"), SECRETS)
def test_a_secret_is_replaced_and_its_surroundings_stay(text, left):
    """Each text of the table becomes the one beside it, and says what kind was found."""
    result = redact(text)
    assert result.text == left
    assert result.found


@pytest.mark.parametrize("text", NO_SECRETS)
def test_what_only_speaks_of_secrets_stays(text):
    """Placeholders, code, hashes, ids and prose are left alone."""
    result = redact(text)
    assert (result.text, result.found) == (text, ())


def test_all_secrets_of_a_text_are_found():
    """Kinds are listed once each."""
    result = redact(f"ghp_{R}{R} then ghp_{R}{R} and password=hunter2")
    assert result.text == "[redacted:github] then [redacted:github] and password=[redacted:password]"
    assert result.found == ("github", "password")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("password", "password"),
        ("Passwd", "password"),
        ("pwd", "password"),
        ("db-pass", "password"),
        ("DB_PASSWORD", "password"),
        ("api_key", "secret"),
        ("apikey", "secret"),
        ("API-Key", "secret"),
        ("openaiApiKey", "secret"),
        ("secret", "secret"),
        ("client_secret", "secret"),
        ("token", "secret"),
        ("accessToken", "secret"),
        ("connection_string", "secret"),
        ("private_key", "private_key"),
        ("Authorization", "authorization"),
    ],
)
def test_the_value_of_a_key_that_names_a_secret_goes_whole(key, kind):
    """Whatever it looks like: a word, a sentence, something that begins like a placeholder."""
    for value in ("swordfish", "my three words", "$up3r", "1234"):
        assert redact_value(key, value) == f"[redacted:{kind}]"


@pytest.mark.parametrize(
    "value", ["", "<your-password>", "${DB_PASSWORD}", "$TOKEN", "xxx", "****", "none", "your-api-key"]
)
def test_a_placeholder_stays_under_any_key(value):
    """It says what belongs there."""
    assert redact_value("password", value) == value


@pytest.mark.parametrize(
    "key", ["max_tokens", "compass", "bypass", "monkey", "key", "author", "secretary", "topic", ""]
)
def test_a_value_under_an_ordinary_key_is_text(key):
    """It stays, and what is a secret in any text goes."""
    assert redact_value(key, "swordfish") == "swordfish"
    assert redact_value(key, f"ghp_{R}{R}") == "[redacted:github]"


@given(st.sampled_from(["password", "api_key", "topic"]) | st.text(max_size=8), st.text(max_size=20))
def test_redacting_a_value_again_changes_nothing(key, text):
    """As for texts."""
    once = redact_value(key, text)
    assert redact_value(key, once) == once


PIECES = st.sampled_from(
    [text for text, _ in SECRETS]
    + NO_SECRETS
    + [
        " ",
        "\n",
        "=",
        ":",
        "\u200b",
        "\xad",
        "|",
        "&lt;private&gt;",
        '"',
        "@",
        "://",
        "password=",
        "token: ",
        "[redacted:x]",
        "<private>",
        "</private>",
    ]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=6).map("".join))
def test_redacting_again_changes_nothing(text):
    """The law that lets a text pass through twice (hook, then server)."""
    once = redact(text).text
    assert redact(once).text == once


@given(st.sampled_from(SECRETS), st.text(alphabet="abc xyz.,\n"), st.text(alphabet="abc xyz.,\n"))
def test_a_secret_is_found_wherever_it_stands(case, before, after):
    """Prose around a secret does not hide it."""
    text, _ = case
    assert redact(f"{before}\n{text}\n{after}").found


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1",
        "(",
        " ",
        "@",
        "<private>",
        "</private>",
        "password=",
        "token: ",
        "sk-",
        "eyJaaaaaaaaaa.",
        "s://a:",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----\n",
        '"',
        "key='",
        "-u a:",
        "< ",
        "&lt;private ",
        "<private ",
        "mysql -",
        "machine a login b ",
        "?token",
        "&sig=",
        "<token>",
        "secret: |\n a\n",
        "set the password ",
        "set a b c d token ",
        "ghp_\u200b",
        "sessionid=",
        "pass: ",
        "pw",
    ],
)
def test_time_grows_with_the_length_of_a_hostile_text(piece):
    """200 KB of anything take less than a second."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < SECONDS
