package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

// secureFlags are the flags of simulate for whom the meter lets in, and how what
// it says is protected.
type secureFlags struct {
	authentication, password string
	client                   int
	key, authKey             string
	public                   publicFlags
	title                    string
	security                 string
}

func (f *secureFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.authentication, "authentication", "none", "`NAME` none, low, high (AES of the challenge), high-md5, high-sha1, high-gmac, high-sha256 or high-ecdsa")
	fs.StringVar(&f.password, "password", "", "`SECRET` for every authentication but none, high-gmac and high-ecdsa: file:PATH, env:NAME or - (ask)")
	fs.IntVar(&f.client, "client_address", 0, "`CLIENT` that is let in (default 16, 32 with authentication low, 1 with high-level security or keys; beside these 16 is let in too)")
	fs.StringVar(&f.key, "encryption_key", "", "`KEY` for high-gmac and ciphering, 32 hexadecimal digits, with suite 2 64: file:PATH or env:NAME")
	fs.StringVar(&f.authKey, "authentication_key", "", "`KEY` that goes with encryption_key: file:PATH or env:NAME")
	f.public.register(fs)
	fs.StringVar(&f.title, "system_title", "", "`HEX` the meter's system title, 16 digits (default SIM and its serial number)")
	fs.StringVar(&f.security, "security", "", "`NAME` what requests must have at least: none, authentication, encryption or authentication+encryption (default with keys)")
}

// simulateMechanisms are what -authentication may be.
var simulateMechanisms = map[string]acse.Mechanism{
	"none": acse.None, "low": acse.Low, "high": acse.HLS,
	"high-md5": acse.HLSMD5, "high-sha1": acse.HLSSHA1, "high-gmac": acse.HLSGMAC, "high-sha256": acse.HLSSHA256, "high-ecdsa": acse.HLSECDSA,
}

// simulatePolicies are what -security may be.
var simulatePolicies = map[string]security.Control{
	"none": 0, "authentication": security.Authenticated, "encryption": security.Encrypted,
	"authentication+encryption": security.Authenticated | security.Encrypted,
}

// apply checks the flags and puts them into the meter's settings.
func (f *secureFlags) apply(ctx context.Context, fs *flag.FlagSet, cfg *dlmstest.Config) error {
	client, err := f.secured(ctx)
	if err != nil {
		return err
	}
	if cfg.Title, err = f.systemTitle(); err != nil {
		return err
	}
	cfg.Counter = uint32(time.Now().Unix()) // so that one which starts anew repeats none
	special := client.Keys.EncryptionKey != nil || client.Mechanism != acse.None && client.Mechanism != acse.Low
	address := dlmstest.PublicClient
	switch {
	case isSet(fs, "client_address"):
		address = f.client
	case client.Mechanism == acse.Low:
		address = 32
	case special:
		address = 1
	default:
	}
	limit := 65535
	if cfg.Framing == dlmstest.FramingHDLC {
		limit = 127
	}
	if err := inRange("-client_address", address, 1, limit); err != nil {
		return err
	}
	cfg.Clients = map[uint16]dlmstest.Client{}
	if special { // it has to read the invocation counter somewhere
		cfg.Clients[dlmstest.PublicClient] = dlmstest.Client{Mechanism: acse.None}
	}
	cfg.Clients[uint16(address)] = client
	return nil
}

// secured returns the client that the flags describe.
func (f *secureFlags) secured(ctx context.Context) (c dlmstest.Client, err error) {
	known := false
	if c.Mechanism, known = simulateMechanisms[f.authentication]; !known {
		return c, fmt.Errorf("-authentication %q: allowed are none, low, high, high-md5, high-sha1, high-gmac, high-sha256 and high-ecdsa", f.authentication)
	}
	if err := inRange("-security_suite", f.public.suite, 0, 2); err != nil {
		return c, err
	}
	suite := uint8(f.public.suite)
	if c.Keys.EncryptionKey, err = simulateKey("encryption_key", f.key, suite); err != nil {
		return c, err
	}
	if c.Keys.AuthenticationKey, err = simulateKey("authentication_key", f.authKey, suite); err != nil {
		return c, err
	}
	if err := f.public.apply(&c); err != nil {
		return c, err
	}
	if c.Policy, known = simulatePolicies[f.security]; !known && f.security != "" {
		return c, fmt.Errorf("-security %q: allowed are none, authentication, encryption and authentication+encryption", f.security)
	}
	secret := c.Mechanism.HasSecret()
	switch {
	case !secret && f.password != "":
		return c, fmt.Errorf("-password is of no use with -authentication %s", f.authentication)
	case secret && f.password == "":
		return c, fmt.Errorf("-authentication %s needs -password", f.authentication)
	case f.key == "" && c.Mechanism == acse.HLSGMAC:
		return c, errors.New("-authentication high-gmac needs -encryption_key and -authentication_key")
	case f.key == "" && c.Policy != 0:
		return c, fmt.Errorf("-security %s needs -encryption_key and -authentication_key", f.security)
	case (f.key == "") != (f.authKey == ""):
		return c, errors.New("-encryption_key and -authentication_key go together")
	case f.key != "" && f.security == "":
		c.Policy = security.Authenticated | security.Encrypted
	default:
	}
	if !secret {
		return c, nil
	}
	password, err := readPassword(ctx, f.password)
	c.Password, c.Secret = password, password
	return c, err
}

// systemTitle is -system_title, or one like that of a real meter: the letters of
// its maker, and its serial number.
func (f *secureFlags) systemTitle() (title [security.TitleLength]byte, err error) {
	digits, maker := f.title, "SIM"
	if digits == "" {
		digits = fmt.Sprintf("%X%0*s", maker, 2*(len(title)-len(maker)), simmeter.DefaultSerialNumber)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil || len(b) != len(title) {
		return title, fmt.Errorf("-system_title %q: %d hexadecimal digits are expected", f.title, 2*len(title))
	}
	return [security.TitleLength]byte(b), nil
}

// simulateKey reads the key that a flag names.
func simulateKey(flag, value string, suite uint8) ([]byte, error) {
	if value != "" && !outsideArguments(value) {
		return nil, fmt.Errorf("-%s takes file:PATH, env:NAME or credential:NAME: what stands in the arguments can be read by others", flag)
	}
	return decodeKey(flag, value, security.KeyLengthOf(suite))
}
