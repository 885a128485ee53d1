package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// A suiteCell is a cell against a meter on Gurux for Java with these options.
type suiteCell struct {
	suite                          uint8
	names, framing, auth, protects string

	what    string   // the rest of its name
	meter   []string // more options
	change  func(l *link)
	run     func(context.Context, *environment) (string, error) // nil: protected
	fails   string                                              // what the meter says, if it cannot do it
	because string                                              // the reason of that
}

// suiteMeter are the cells of suites 1 and 2: all names, framings, mechanisms and
// protections, and what there is beside.
func suiteMeter() []cell {
	var list []suiteCell
	for _, names := range []string{"ln", "sn"} {
		for _, framing := range []string{"hdlc", "wrapper"} {
			for suite := range uint8(2) {
				for _, auth := range []string{"low", "high-md5", "high-sha1", "high-gmac", "high-sha256", "high-ecdsa"} {
					for _, protects := range []string{"authentication", "encryption", "both"} {
						list = append(list, suiteCell{suite: suite + 1, names: names, framing: framing, auth: auth, protects: protects})
					}
				}
			}
		}
	}
	list = append(list,
		suiteCell{suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "none"},
		suiteCell{suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: ", signatures of its server class", meter: []string{"--own-signatures"}, run: everyWay},
		suiteCell{suite: 2, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", general ciphering", run: general},
		suiteCell{suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: ", impostor", meter: []string{"--impostor"}, run: impostor},
		suiteCell{suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: ", another meter's key", run: otherMeter},
	)
	list = append(list, programCells()...)
	list = append(list, dedicatedCells()...)
	list = append(list, blockCells()...)
	list = append(list, envelopeCells()...)
	cells := make([]cell, len(list))
	for i, c := range list {
		cells[i] = c.cell()
	}
	return cells
}

// programCells are those of our program.
func programCells() []suiteCell {
	const what = ", our program's get"
	return []suiteCell{
		{suite: 1, names: "ln", framing: "hdlc", auth: "high-ecdsa", protects: "both", what: what, run: get},
		{suite: 2, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: what, run: get},
		{suite: 2, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", our program's objects", run: objects},
		{
			suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: what + ", dedicated key", run: get,
			change: func(l *link) { l.more = []string{"-dedicated_key", "random"} },
		},
		{
			suite: 2, names: "ln", framing: "hdlc", auth: "high-gmac", protects: "both", what: ", our program's get, general block transfer",
			meter: []string{"--gbt"}, run: get, change: func(l *link) { l.more = []string{"-block_window", "1"} },
		},
		{
			suite: 0, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", our program's objects, general block transfer",
			meter: []string{"--gbt"}, run: objects, change: func(l *link) { l.more = []string{"-block_window", "1"} },
		},
	}
}

// dedicatedCells are those with a key for the association.
func dedicatedCells() []suiteCell {
	dedicated := func(c dlms.Ciphering) func(l *link) {
		return func(l *link) {
			l.secure.ciphering = c
			l.secure.dedicated = bytes.Repeat([]byte{0xD5}, security.KeyLengthOf(l.secure.keys.Suite))
		}
	}
	const what = ", dedicated key"
	return []suiteCell{
		{suite: 0, names: "ln", framing: "hdlc", auth: "high-gmac", protects: "both", what: what, change: dedicated(dlms.ServiceCiphering), run: everyWay},
		{suite: 0, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: what + ", general ciphering", change: dedicated(dlms.GeneralCiphering), run: everyWay},
		{suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: what, change: dedicated(dlms.ServiceCiphering), run: everyWay},
		{suite: 2, names: "ln", framing: "hdlc", auth: "high-ecdsa", protects: "both", what: what + ", general ciphering", change: dedicated(dlms.GeneralCiphering), run: everyWay},
		{suite: 0, names: "sn", framing: "wrapper", auth: "high-gmac", protects: "both", what: what, change: dedicated(dlms.ServiceCiphering), run: everyWay, fails: "Invalid GLO command", because: "this server knows dedicated keys in logical names only"},
	}
}

// blockCells are those with general block transfer.
func blockCells() []suiteCell {
	const what = ", general block transfer"
	gbt := []string{"--gbt"}
	window := func(n int) func(l *link) { return func(l *link) { l.blocks = n } }
	return []suiteCell{
		{suite: 0, names: "ln", framing: "hdlc", auth: "high-md5", protects: "none", what: what, meter: gbt, change: window(1), run: generalBlocks},
		{suite: 0, names: "ln", framing: "wrapper", auth: "high-md5", protects: "none", what: what, meter: gbt, change: window(1), run: generalBlocks},
		{suite: 0, names: "ln", framing: "hdlc", auth: "high-gmac", protects: "both", what: what, meter: gbt, change: window(1), run: generalBlocks},
		{suite: 0, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: what, meter: gbt, change: window(1), run: generalBlocks},
		{suite: 0, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: what + ", 3 in a row", run: inapplicable("this server class gives one block for each request, however many are asked for")},
		{suite: 2, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "both", what: what, meter: gbt, change: window(1), run: generalBlocks},
	}
}

// envelopeCells are those with general-ciphering and general-signing. What the
// server class takes is no more than an agreed key, whose AAD lacks the header.
func envelopeCells() []suiteCell {
	in := func(c dlms.Ciphering) func(l *link) {
		return func(l *link) { l.secure.ciphering, l.patience = c, 2*time.Second }
	}
	signed := func(l *link) { l.secure.signed, l.patience = true, 2*time.Second }
	const agreed = "this server takes the key-info of an agreed key only"
	return []suiteCell{
		{suite: 0, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", identified key", change: in(dlms.IdentifiedKey), run: everyWay, fails: "handleGeneralCiphering failed", because: agreed},
		{suite: 0, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", wrapped key", change: in(dlms.WrappedKey), run: everyWay, fails: "handleGeneralCiphering failed", because: agreed},
		{
			suite: 1, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", key agreed on in one pass", change: in(dlms.OnePassKey), run: everyWay,
			fails: "Invalid private key", because: "this server takes an ephemeral public key for a private one",
		},
		{
			suite: 1, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", key agreed on by static keys", change: in(dlms.StaticKey), run: everyWay,
			fails: "Tag mismatch", because: "this server leaves the header of general-ciphering out of what it authenticates",
		},
		{suite: 1, names: "ln", framing: "wrapper", auth: "high-ecdsa", protects: "encryption", what: ", key agreed on by static keys", change: in(dlms.StaticKey), run: everyWay, fails: "Missing argument", because: "this server throws at general-ciphering that it has opened"},
		{
			suite: 1, names: "ln", framing: "wrapper", auth: "high-gmac", protects: "both", what: ", signed requests", change: signed, run: everyWay,
			fails: "Missing argument", because: "this server throws at general-signing",
		},
	}
}

// inapplicable is a cell that is not run.
func inapplicable(reason string) func(context.Context, *environment) (string, error) {
	return func(context.Context, *environment) (string, error) {
		return "", fmt.Errorf("%w: %s", errNotApplicable, reason)
	}
}

func (s suiteCell) cell() cell {
	name := fmt.Sprintf("%s %s %s, suite %d, security %s%s", strings.ToUpper(s.names), s.framing, s.auth, s.suite, s.protects, s.what)
	return cell{peer: peer.Gurux.Name, name: name, run: func(ctx context.Context, p place) (string, error) {
		l, options, err := s.prepare()
		if err != nil {
			return "", err
		}
		run := s.run
		if run == nil {
			run = protected
		}
		note, err := withMeter(peer.Gurux, options, l, run)(ctx, p)
		if err != nil && s.fails != "" && strings.Contains(err.Error(), s.fails) {
			return "", fmt.Errorf("%w: %s", errNotApplicable, s.because)
		}
		return note, err
	}}
}

// prepare makes the keys of both sides.
func (s suiteCell) prepare() (l link, options []string, err error) {
	l = link{framing: s.framing, short: s.names == "sn", password: password, secure: newProtection(s.auth, s.protects)}
	keys := &l.secure.keys
	keys.Suite = s.suite
	if s.suite == 2 {
		keys.EncryptionKey, keys.AuthenticationKey = slices.Concat(encryptionKey, authenticationKey), slices.Concat(authenticationKey, encryptionKey)
	}
	l.secure.master = bytes.Repeat([]byte{0x3C}, len(keys.EncryptionKey))
	options = append([]string{
		"--referencing", s.names, "--framing", s.framing, "--auth", s.auth, "--security", s.protects, "--rows", "40", "--max-pdu", "256",
		"--suite", strconv.Itoa(int(s.suite)), "--title", hex.EncodeToString(meterTitle),
		"--key", hex.EncodeToString(keys.EncryptionKey), "--auth-key", hex.EncodeToString(keys.AuthenticationKey),
	}, s.meter...)
	if s.suite > 0 {
		more, err := l.secure.pairs()
		if err != nil {
			return l, nil, err
		}
		options = append(options, more...)
	}
	if s.change != nil {
		s.change(&l)
	}
	return l, options, nil
}

// pairs makes two key pairs for each side, and returns the options for the meter's.
func (p *protection) pairs() (options []string, err error) {
	for _, flags := range [][2]string{{"--signing-key", "--client-key"}, {"--agreement-key", "--client-agreement-key"}} {
		own, ownPublic, ownPrivate, err := p.pair()
		if err != nil {
			return nil, err
		}
		meter, _, meterPrivate, err := p.pair()
		if err != nil {
			return nil, err
		}
		if flags[0] == "--signing-key" {
			p.signingKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ownPrivate})
			p.public.Signing, p.public.MeterSigning = own, meter.Public()
		} else {
			p.public.Agreement, p.public.MeterAgreement = own, meter.Public()
		}
		options = append(options, flags[0], hex.EncodeToString(meterPrivate), flags[1], hex.EncodeToString(ownPublic))
	}
	return options, nil
}

// pair makes a key pair on the curve of the suite; public is as X.509 has it and
// private as PKCS #8 has it.
func (p *protection) pair() (key *security.PrivateKey, public, private []byte, err error) {
	curve := elliptic.P256()
	if p.keys.Suite == 2 {
		curve = elliptic.P384()
	}
	pair, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	if private, err = x509.MarshalPKCS8PrivateKey(pair); err != nil {
		return nil, nil, nil, err
	}
	if public, err = x509.MarshalPKIXPublicKey(&pair.PublicKey); err != nil {
		return nil, nil, nil, err
	}
	key, err = security.ParsePrivateKey(p.keys.Suite, private)
	return key, public, private, err
}

// otherMeter has the public key of another meter, whose signature this one cannot give.
func otherMeter(ctx context.Context, e *environment) (string, error) {
	right := e.link.secure.public.MeterSigning
	e.link.secure.public.MeterSigning = e.link.secure.public.MeterAgreement
	if _, err := impostor(ctx, e); err != nil {
		return "", err
	}
	e.link.secure.public.MeterSigning = right
	return everyWay(ctx, e)
}

// generalBlocks reads in every way, and demands that what is long comes by general block transfer.
func generalBlocks(ctx context.Context, e *environment) (string, error) {
	note, err := everyWay(ctx, e)
	if err != nil {
		return "", err
	}
	blocks := e.meter.Events("general-block")
	if blocks < 4 { // of the profile: lists fit in an APDU
		return "", fmt.Errorf("%d blocks of general block transfer", blocks)
	}
	return fmt.Sprintf("%s; %d blocks of general block transfer", note, blocks), nil
}
