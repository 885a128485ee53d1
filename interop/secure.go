package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

// protection is what a meter with high-level security or ciphering demands, as the library needs it.
type protection struct {
	mechanism  acse.Mechanism
	control    security.Control // 0: APDUs are plain
	ciphering  dlms.Ciphering
	keys       security.Keys
	dedicated  []byte // key for the association
	master     []byte // wraps keys
	public     dlms.PublicKeys
	signingKey []byte // ours, PEM, as our program has it
	signed     bool
	counter    uint32 // the last one that was used
}

// mechanisms are the ways to authenticate, by the name that both the meter and our program have for them.
var mechanisms = []struct {
	name      string
	mechanism acse.Mechanism
}{
	{"none", acse.None}, {"low", acse.Low}, {"high", acse.HLS}, {"high-md5", acse.HLSMD5},
	{"high-sha1", acse.HLSSHA1}, {"high-gmac", acse.HLSGMAC}, {"high-sha256", acse.HLSSHA256}, {"high-ecdsa", acse.HLSECDSA},
}

// protections are the meter's names for what protects an APDU.
var protections = []struct {
	name    string
	control security.Control
}{
	{"none", 0}, {"authentication", security.Authenticated}, {"encryption", security.Encrypted},
	{"both", security.Authenticated | security.Encrypted},
}

// What the meter and whoever may read it have.
var (
	encryptionKey     = []byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF}
	authenticationKey = []byte{0xF0, 0xE0, 0xD0, 0xC0, 0xB0, 0xA0, 0x90, 0x80, 0x70, 0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0x00}
	clientTitle       = []byte{0x54, 0x44, 0x43, 0x00, 0x00, 0x00, 0x00, 0x07}
	meterTitle        = []byte{0x47, 0x52, 0x58, 0x0A, 0x0B, 0x0C, 0x0D, 0x0E}
)

// secureMeter are the cells of high-level security and of suite 0.
func secureMeter() []cell {
	var list []cell
	add := func(run func(context.Context, *environment) (string, error), what, names, framing, auth, security string, more ...string) {
		list = append(list, secureCell(run, what, names, framing, auth, security, more))
	}
	for _, names := range []string{"ln", "sn"} {
		for _, framing := range []string{"hdlc", "wrapper"} {
			for _, m := range mechanisms[:len(mechanisms)-1] { // the last one is not of suite 0
				for _, c := range protections {
					if c.control != 0 || m.mechanism != acse.None && m.mechanism != acse.Low {
						add(protected, "", names, framing, m.name, c.name)
					}
				}
			}
		}
	}
	for _, framing := range []string{"hdlc", "wrapper"} {
		add(general, ", general ciphering", "ln", framing, "high-gmac", "both")
		add(getTwice, ", our program's get, twice", "ln", framing, "high-gmac", "both", "--counter", "5000")
		add(getRaised, ", our program's get, counter too low", "ln", framing, "high-gmac", "both", "--counter", "5000")
		add(objects, ", our program's objects", "ln", framing, "high-gmac", "both")
	}
	add(protected, ", 128-octet frames", "ln", "hdlc", "high-gmac", "both", "--max-info", "128")
	add(protected, ", 62-octet frames", "ln", "hdlc", "low", "both", "--max-info", "62")
	add(segmented, ", 62-octet frames", "ln", "hdlc", "high-gmac", "both", "--max-info", "62")
	for _, kind := range [][2]string{{"high-md5", "none"}, {"high-sha256", "authentication"}, {"high-gmac", "none"}, {"high-gmac", "both"}} {
		add(impostor, ", impostor", "ln", "wrapper", kind[0], kind[1], "--impostor")
	}
	for _, answers := range []string{"authentication", "encryption"} {
		add(lesser, ", answers "+answers, "ln", "wrapper", "high-gmac", "both", "--answers", answers)
	}
	return list
}

// secureCell is a cell against a meter with these options.
func secureCell(run func(context.Context, *environment) (string, error), what, names, framing, auth, protects string, more []string) cell {
	meter := append([]string{
		"--referencing", names, "--framing", framing, "--auth", auth, "--security", protects, "--rows", "40", "--max-pdu", "256",
		"--key", hex.EncodeToString(encryptionKey), "--auth-key", hex.EncodeToString(authenticationKey), "--title", hex.EncodeToString(meterTitle),
	}, more...)
	l := link{framing: framing, short: names == "sn", password: password, secure: newProtection(auth, protects)}
	name := fmt.Sprintf("%s %s %s, security %s%s", strings.ToUpper(names), framing, auth, protects, what)
	return cell{peer: peer.Gurux.Name, name: name, run: withMeter(peer.Gurux, meter, l, run)}
}

// newProtection is the one with these names.
func newProtection(auth, protects string) *protection {
	p := &protection{keys: security.Keys{EncryptionKey: encryptionKey, AuthenticationKey: authenticationKey}}
	for _, m := range mechanisms {
		if m.name == auth {
			p.mechanism = m.mechanism
		}
	}
	for _, c := range protections {
		if c.name == protects {
			p.control = c.control
		}
	}
	return p
}

// secret says that there is one which is not a key.
func (p *protection) secret() bool {
	return p.mechanism != acse.None && !p.gmac() && p.mechanism != acse.HLSECDSA
}

// gmac says that the keys authenticate, and there is no secret besides.
func (p *protection) gmac() bool { return p.mechanism == acse.HLSGMAC }

// apply makes an association of it. Counters go on from the last one.
func (p *protection) apply(cfg *dlms.AssociationConfig, secret string) {
	cfg.Mechanism, cfg.Password, cfg.Title = p.mechanism, []byte(secret), clientTitle
	if p.control == 0 && !p.gmac() && p.mechanism != acse.HLSECDSA {
		return
	}
	cfg.Security = &dlms.Security{
		Title: clientTitle, Keys: p.keys, Control: p.control, Plain: p.control == 0, Ciphering: p.ciphering,
		Dedicated: p.dedicated, MasterKey: p.master, Public: p.public, Signed: p.signed,
		Counter: func() (uint32, error) {
			p.counter++
			return p.counter, nil
		},
	}
}

// flags are what our program needs to be told.
func (p *protection) flags() []string {
	flags := []string{"-client_address", "1", "-security", p.policy()}
	for _, m := range mechanisms {
		if m.mechanism == p.mechanism {
			flags = append(flags, "-authentication", m.name)
		}
	}
	if p.secret() {
		flags = append(flags, "-password", "env:METER_PASSWORD")
	}
	if p.keys.Suite > 0 {
		flags = append(flags, "-security_suite", strconv.Itoa(int(p.keys.Suite)))
	}
	if p.mechanism == acse.HLSECDSA {
		flags = append(flags, "-signing_key", "env:METER_SIGNING_KEY", "-server_signing_key", "env:METER_SERVER_SIGNING_KEY")
	}
	if p.gmac() || p.control != 0 {
		flags = append(flags, "-encryption_key", "env:METER_KEY", "-authentication_key", "env:METER_AUTHENTICATION_KEY")
	}
	return flags
}

// protected reads all of a meter in three ways, and then knocks with each of its secrets wrong.
func protected(ctx context.Context, e *environment) (string, error) {
	read, err := everyWay(ctx, e)
	if err != nil {
		return "", err
	}
	refused, err := mistakes(ctx, e)
	return read + "; refused: " + strings.Join(refused, ", "), err
}

// general does so with general-glo-ciphering.
func general(ctx context.Context, e *environment) (string, error) {
	e.link.secure.ciphering = dlms.GeneralCiphering
	return protected(ctx, e)
}

// segmented has an AARE of more than one frame.
func segmented(ctx context.Context, e *environment) (string, error) {
	note, err := protected(ctx, e)
	var refused *dlms.RejectError
	if errors.As(err, &refused) {
		// The second frame is D8 02 02: there is no association yet, for which it takes none to be asked for more.
		return "", fmt.Errorf("%w: with high-level security this server does not send the rest of an AARE: %w", errNotApplicable, refused)
	}
	return note, err
}

// everyWay reads one by one, in lists, and in blocks, in one association.
func everyWay(ctx context.Context, e *environment) (note string, err error) {
	s, err := e.link.open(ctx, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	list, err := everything(e.meter.Contents)
	if err != nil {
		return "", err
	}
	before := s.conn.Stats().RoundTrips
	trips := func() int {
		n := s.conn.Stats().RoundTrips - before
		before += n
		return n
	}
	if err := readSingly(ctx, s.association, list); err != nil {
		return "", err
	}
	trips()
	if err := readList(ctx, s.association, list); err != nil {
		return "", err
	}
	lists, profile := trips(), e.meter.Contents.Profile
	if lists > len(list)/2 {
		return "", fmt.Errorf("%d round trips for %d attributes: the lists were not read as such", lists, len(list))
	}
	if err := s.rows(ctx, profile.OBIS, nil, profile.Rows); err != nil {
		return "", err
	}
	blocks := trips()
	if blocks < 2 {
		return "", errors.New("the profile was not read in blocks")
	}
	return fmt.Sprintf("%d attributes, again in lists, %d round trips; %d rows, %d blocks", len(list), lists, len(profile.Rows), blocks), nil
}
