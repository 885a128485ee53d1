package dlms_cosem

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// furtherKeys are what a login may need beside encryption_key and
// authentication_key. Not all are secret; all are given as secrets are.
type furtherKeys struct {
	dedicated, master       Secret
	signing, serverSigning  Secret
	agreement, serverAgrees Secret
	certificate, authority  Secret
}

func furtherKeysOf(s *Settings) furtherKeys {
	return furtherKeys{
		dedicated: s.DedicatedKey, master: s.MasterKey, signing: s.SigningKey, serverSigning: s.ServerSigningKey,
		agreement: s.AgreementKey, serverAgrees: s.ServerAgreementKey, certificate: s.Certificate, authority: s.CACertificate,
	}
}

// cipherings are the words for ciphering.
func cipherings() []struct {
	name string
	form dlms.Ciphering
} {
	return []struct {
		name string
		form dlms.Ciphering
	}{
		{"auto", dlms.ServiceCiphering}, {"service", dlms.ServiceCiphering}, {"general", dlms.GeneralCiphering},
		{"identified", dlms.IdentifiedKey}, {"wrapped", dlms.WrappedKey},
		{"agreed-one-pass", dlms.OnePassKey}, {"agreed-static", dlms.StaticKey},
	}
}

func cipheringWords() (words []string) {
	for _, c := range cipherings() {
		words = append(words, c.name)
	}
	return words
}

func cipheringOf(word string) dlms.Ciphering {
	for _, c := range cipherings() {
		if c.name == word {
			return c.form
		}
	}
	return dlms.ServiceCiphering
}

// randomKey is the word for a dedicated key that is made for each association.
const randomKey = "random"

// needsKeys reports the keys of others and ours that a request lacks.
func (p *protection) needsKeys(sc requestScope, s *Settings, ecdsa bool) {
	f := p.further
	needs := func(s Secret, key, why string, args ...any) {
		if !s.Set() {
			sc.missing(key, why, args...)
		}
	}
	const theirs = ", or ca_certificate if the meter sends its certificate"
	if ecdsa {
		needs(f.signing, "signing_key", `authentication = "high-ecdsa" needs it: our private key, whose public key the meter has`)
		if !f.authority.Set() {
			needs(f.serverSigning, "server_signing_key", `authentication = "high-ecdsa" needs it: the public key of the meter`+theirs)
		}
	}
	if p.signed && !ecdsa {
		needs(f.signing, "signing_key", "signed = true needs it: our private key, whose public key the meter has")
		if !f.authority.Set() {
			needs(f.serverSigning, "server_signing_key", "signed = true needs it: the public key of the meter"+theirs)
		}
	}
	switch p.form {
	case dlms.WrappedKey:
		needs(f.master, "master_key", "ciphering = %q needs it: the key that wraps keys (KEK)", s.Ciphering)
	case dlms.OnePassKey:
		if !ecdsa && !p.signed {
			needs(f.signing, "signing_key", "ciphering = %q needs it: our private key, whose public key the meter has", s.Ciphering)
		}
		needs(f.serverAgrees, "server_agreement_key", "ciphering = %q needs it: the public key of the meter for key agreement", s.Ciphering)
	case dlms.StaticKey:
		needs(f.agreement, "agreement_key", "ciphering = %q needs it: our private key for key agreement, whose public key the meter has", s.Ciphering)
		needs(f.serverAgrees, "server_agreement_key", "ciphering = %q needs it: the public key of the meter for key agreement", s.Ciphering)
	default:
	}
}

// buildOpening fills in what keys of pushes are found with, if they are wrapped
// or agreed on.
func buildOpening(sc requestScope, s *Settings, r *request) {
	for _, key := range []string{"signing_key", "certificate", "dedicated_key", "signed", "ciphering"} {
		if sc.own.sets(key) {
			sc.bad(key, "", "what is pushed does not need it: it belongs to meters that are asked, remove it")
		}
	}
	f := furtherKeysOf(s)
	if !f.master.Set() && !f.agreement.Set() && !f.serverAgrees.Set() && !f.serverSigning.Set() {
		return
	}
	p := &protection{suite: suiteOf(s), further: furtherKeys{
		master: f.master, agreement: f.agreement, serverAgrees: f.serverAgrees, serverSigning: f.serverSigning, authority: f.authority,
	}}
	p.title, _ = parseTitle(s.SystemTitle)
	switch {
	case !r.keys[0].Set():
		sc.missing("encryption_key", "master_key and the keys for agreement do nothing without it, nor without authentication_key")
	case p.suite == 0 && (f.agreement.Set() || f.serverAgrees.Set() || f.serverSigning.Set()):
		sc.missing("security_suite", "1 or 2 is needed for what signs or agrees on keys")
	default:
		p.checkValues(sc)
		r.opening = p
	}
}

// checkFurtherKeys reports what is missing beside the keys, and what is there
// without effect.
func checkFurtherKeys(sc requestScope, s *Settings, r *request, p *protection) {
	f, ecdsa := p.further, r.mechanism == acse.HLSECDSA
	agrees := p.form == dlms.OnePassKey || p.form == dlms.StaticKey
	switch {
	case p.suite > 0 || !ecdsa && !p.signed && !agrees:
	case ecdsa:
		sc.missing("security_suite", `authentication = "high-ecdsa" needs 1 (P-256) or 2 (P-384): the meter's keys tell which`)
		return
	case agrees:
		sc.missing("security_suite", "ciphering = %q needs 1 (P-256) or 2 (P-384): the meter's keys tell which", s.Ciphering)
		return
	default:
		sc.missing("security_suite", "signed = true needs 1 (P-256) or 2 (P-384): the meter's keys tell which")
		return
	}
	if p.suite == 0 {
		for _, key := range publicKeyNames() {
			if sc.own.sets(key) {
				sc.bad(key, "", "with security_suite = 0 it has no effect: set 1 (P-256) or 2 (P-384), or remove it")
			}
		}
	}
	p.needsKeys(sc, s, ecdsa)
	switch {
	case p.plain && p.form != dlms.ServiceCiphering:
		sc.bad("ciphering", strconv.Quote(s.Ciphering), "%s", p.unprotected(r))
	case p.plain && p.signed:
		sc.bad("signed", "true", "%s", p.unprotected(r))
	case p.plain && f.dedicated.Set():
		sc.bad("dedicated_key", "", "%s", p.unprotected(r))
	case f.dedicated.Set() && p.control&security.Encrypted == 0:
		sc.bad("dedicated_key", "", `it would travel in clear: set security = "authentication+encryption", or remove it`)
	case f.dedicated.Set() && p.form >= dlms.IdentifiedKey:
		sc.bad("dedicated_key", "", "with ciphering = %q it has no effect: remove one of them", s.Ciphering)
	default:
	}
	p.checkValues(sc)
}

// unprotected says what to do about what needs protection.
func (p *protection) unprotected(r *request) string {
	if r.keys[0].Set() {
		return `with security = "none" it has no effect: remove one of them`
	}
	return "without encryption_key it has no effect: set that, or remove it"
}

// checkValues reports keys that cannot be read, or do not go together.
func (p *protection) checkValues(sc requestScope) {
	if _, err := p.dedicatedKey(); err != nil {
		sc.bad("dedicated_key", "", "%v; or \"random\", which makes one for each association", err)
	}
	if p.further.master.Set() {
		if _, err := keyOctets(p.further.master, p.suite); err != nil {
			sc.bad("master_key", "", "%v", err)
		}
	}
	k, err := p.publicKeys()
	var key *keyError
	switch {
	case errors.As(err, &key):
		sc.bad(key.key, "", "%v", key.err)
		return
	case k.Certificate == nil:
		return
	case k.Signing == nil:
		sc.missing("signing_key", "certificate needs it: the meter is sent the certificate of that key")
		return
	case !k.Certificate.PublicKey().Equal(k.Signing.Public()):
		sc.bad("certificate", "", "it is of another key than signing_key: the meter could not verify what is signed")
		return
	}
	title, ok := k.Certificate.Title()
	switch {
	case !ok:
	case p.title == nil:
		sc.missing("system_title", "certificate is for %s: set system_title to that, else the meter takes it for somebody else's", titleText(title))
	case !bytes.Equal(title, p.title):
		sc.bad("system_title", strconv.Quote(titleText(p.title)), "certificate is for %s: the meter would take it for somebody else's", titleText(title))
	default:
	}
}

// publicKeyNames are the keys of the configuration that suite 0 does not have.
func publicKeyNames() []string {
	return []string{"signing_key", "server_signing_key", "agreement_key", "server_agreement_key", "certificate", "ca_certificate"}
}

// keyError is a key that cannot be used.
type keyError struct {
	key string
	err error
}

func (e *keyError) Error() string { return e.key + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// publicKeys reads the keys of suites 1 and 2.
func (p *protection) publicKeys() (k dlms.PublicKeys, err error) {
	f := p.further
	if p.suite == 0 {
		return k, nil
	}
	read := func(key string, s Secret, get func(Secret) ([]byte, error), use func(b []byte) error) {
		if err != nil || !s.Set() {
			return
		}
		b, e := get(s)
		if e == nil {
			e = use(DigitsOrOctets(b))
		}
		if e != nil {
			err = &keyError{key, e}
		}
	}
	read("signing_key", f.signing, Secret.Get, func(b []byte) (err error) { k.Signing, err = security.ParsePrivateKey(p.suite, b); return })
	read("agreement_key", f.agreement, Secret.Get, func(b []byte) (err error) { k.Agreement, err = security.ParsePrivateKey(p.suite, b); return })
	read("server_signing_key", f.serverSigning, Secret.GetPublic, func(b []byte) (err error) { k.MeterSigning, err = security.ParsePublicKey(p.suite, b); return })
	read("server_agreement_key", f.serverAgrees, Secret.GetPublic, func(b []byte) (err error) {
		k.MeterAgreement, err = security.ParsePublicKey(p.suite, b)
		return
	})
	read("certificate", f.certificate, Secret.GetPublic, func(b []byte) (err error) { k.Certificate, err = security.ParseCertificate(p.suite, b); return })
	read("ca_certificate", f.authority, Secret.GetPublic, func(b []byte) (err error) { k.Roots, err = parseAuthorities(p.suite, b); return })
	return k, err
}

// verifyServer checks the certificates that stand in place of the meter's keys, when
// they are used: one that expires is no mistake of the configuration. Without
// ca_certificate they are believed as keys are. The meter has to have their title.
func (p *protection) verifyServer(x *dlms.Security, now time.Time) error {
	for _, k := range []struct {
		key    string
		secret Secret
		usage  func(*security.Certificate) error
	}{
		{"server_signing_key", p.further.serverSigning, (*security.Certificate).CheckSigning},
		{"server_agreement_key", p.further.serverAgrees, (*security.Certificate).CheckAgreement},
	} {
		b, err := k.secret.GetPublic()
		if err != nil || !k.secret.Set() || p.suite == 0 {
			continue // publicKeys has told
		}
		c, err := security.ParseCertificate(p.suite, DigitsOrOctets(b))
		if err != nil {
			continue // a key alone
		}
		roots := x.Public.Roots
		if len(roots) == 0 {
			roots = []*security.Certificate{c}
		}
		if err = c.VerifyChain(roots, nil, now); err == nil {
			err = k.usage(c)
		}
		title, titled := c.Title()
		switch {
		case err != nil:
		case titled && x.MeterTitle == nil:
			x.MeterTitle = title
		case titled:
			err = c.CheckTitle(x.MeterTitle)
		default:
		}
		if err != nil {
			return &passwordError{k.key, err}
		}
	}
	return nil
}

// parseAuthorities reads certificates of those who sign others: they may be of
// either suite, whatever that of the meters is.
func parseAuthorities(suite uint8, b []byte) (all []*security.Certificate, err error) {
	either := func(b []byte) error {
		some, err := security.ParseCertificates(suite, b)
		if err != nil {
			if others, e := security.ParseCertificates(3-suite, b); e == nil {
				some, err = others, nil
			}
		}
		all = append(all, some...)
		return err
	}
	block, rest := pem.Decode(b)
	if block == nil {
		return all, either(b)
	}
	for ; block != nil && len(all) < security.MaxCertificates; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the PEM block is %.40q, want \"CERTIFICATE\"", block.Type)
		}
		if err := either(pem.EncodeToMemory(block)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// DigitsOrOctets reads hexadecimal digits; all else is left as it is.
func DigitsOrOctets(b []byte) []byte {
	if digits, err := hexOctets(strings.TrimSpace(string(b))); err == nil && len(digits) > 0 {
		return digits
	}
	return b
}

// dedicatedKey reads the dedicated key, or makes one.
func (p *protection) dedicatedKey() ([]byte, error) {
	if !p.further.dedicated.Set() {
		return nil, nil
	}
	b, err := p.further.dedicated.Get()
	if err == nil && bytes.EqualFold(bytes.TrimSpace(b), []byte(randomKey)) {
		key := make([]byte, security.KeyLengthOf(p.suite))
		_, _ = rand.Read(key) // never fails
		return key, nil
	}
	if err == nil {
		b, err = keyOctets(p.further.dedicated, p.suite)
	}
	return b, err
}

// furtherSecrets adds the further keys to a login. It returns what a change of
// them is noticed by.
func (p *protection) furtherSecrets(x *dlms.Security) (secrets []byte, err error) {
	if x.Public, err = p.publicKeys(); err != nil {
		var key *keyError
		errors.As(err, &key)
		return nil, &passwordError{key.key, key.err}
	}
	if err := p.verifyServer(x, time.Now()); err != nil {
		return nil, err
	}
	if x.Dedicated, err = p.dedicatedKey(); err != nil {
		return nil, &passwordError{"dedicated_key", err}
	}
	if p.further.master.Set() {
		if x.MasterKey, err = keyOctets(p.further.master, p.suite); err != nil {
			return nil, &passwordError{"master_key", err}
		}
	}
	f := p.further
	for _, s := range []Secret{f.dedicated, f.master, f.signing, f.serverSigning, f.agreement, f.serverAgrees, f.certificate, f.authority} {
		b, err := s.GetPublic() // the secret ones were read with their rights checked
		if err != nil && s.Set() {
			return nil, fmt.Errorf("a key changed while it was read: %w", err)
		}
		secrets = append(append(secrets, byte(len(b)>>8), byte(len(b))), b...)
	}
	return secrets, nil
}
