package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// publicFlags are the flags of simulate for suites 1 and 2.
type publicFlags struct {
	suite                  int
	master                 string
	signing, clientSigning string
	agreement, clientAgree string
	certificate            string
}

func (f *publicFlags) register(fs *flag.FlagSet) {
	fs.IntVar(&f.suite, "security_suite", 0, "`N` security suite: 0, 1 (P-256) or 2 (P-384, keys of 64 digits)")
	fs.StringVar(&f.master, "master_key", "", "`KEY` that wraps keys, for clients with ciphering wrapped: file:PATH or env:NAME")
	fs.StringVar(&f.signing, "signing_key", "", "`KEY` the meter's private key for high-ecdsa and signed answers, PEM or hexadecimal digits: file:PATH or env:NAME")
	fs.StringVar(&f.clientSigning, "client_signing_key", "", "`KEY` the client's public key for signing, or its certificate, PEM or hexadecimal digits: file:PATH or env:NAME")
	fs.StringVar(&f.agreement, "agreement_key", "", "`KEY` the meter's private key for key agreement, PEM or hexadecimal digits: file:PATH or env:NAME")
	fs.StringVar(&f.clientAgree, "client_agreement_key", "", "`KEY` the client's public key for key agreement, or its certificate, PEM or hexadecimal digits: file:PATH or env:NAME")
	fs.StringVar(&f.certificate, "certificate", "", "`PEM` the certificate of signing_key, which is sent to clients: file:PATH or env:NAME")
}

// apply reads the keys into what the meter knows of a client.
func (f *publicFlags) apply(c *dlmstest.Client) error {
	suite := uint8(f.suite)
	c.Keys.Suite = suite
	var err error
	if c.Public.MasterKey, err = simulateKey("master_key", f.master, suite); err != nil {
		return err
	}
	for _, k := range []struct {
		name, value string
		public      bool
		use         func(b []byte) error
	}{
		{"signing_key", f.signing, false, func(b []byte) (err error) { c.Public.Signing, err = security.ParsePrivateKey(suite, b); return }},
		{"agreement_key", f.agreement, false, func(b []byte) (err error) { c.Public.Agreement, err = security.ParsePrivateKey(suite, b); return }},
		{"client_signing_key", f.clientSigning, true, func(b []byte) (err error) { c.Public.ClientSigning, err = security.ParsePublicKey(suite, b); return }},
		{"client_agreement_key", f.clientAgree, true, func(b []byte) (err error) {
			c.Public.ClientAgreement, err = security.ParsePublicKey(suite, b)
			return
		}},
		{"certificate", f.certificate, true, func(b []byte) error {
			x, err := security.ParseCertificate(suite, b)
			if err == nil {
				c.Public.Certificate = x.DER()
			}
			return err
		}},
	} {
		if k.value == "" {
			continue
		}
		if suite == 0 {
			return fmt.Errorf("-%s needs -security_suite 1 or 2", k.name)
		}
		if !outsideArguments(k.value) {
			return fmt.Errorf("-%s takes file:PATH, env:NAME or credential:NAME", k.name)
		}
		b, err := readKey(k.value, k.public)
		if err == nil {
			err = k.use(dlms_cosem.DigitsOrOctets(b))
		}
		if err != nil {
			return fmt.Errorf("-%s: %w", k.name, err)
		}
	}
	if c.Mechanism == acse.HLSECDSA && suite == 0 {
		return errors.New("-authentication high-ecdsa needs -security_suite 1 or 2")
	}
	if c.Mechanism == acse.HLSECDSA && (c.Public.Signing == nil || c.Public.ClientSigning == nil) {
		return errors.New("-authentication high-ecdsa needs -signing_key and -client_signing_key")
	}
	return nil
}

// readKey reads a key, or what is no secret and may be read by all.
func readKey(value string, public bool) ([]byte, error) {
	var secret dlms_cosem.Secret
	if err := secret.UnmarshalText([]byte(value)); err != nil {
		return nil, err
	}
	if public {
		return secret.GetPublic()
	}
	return secret.Get()
}
