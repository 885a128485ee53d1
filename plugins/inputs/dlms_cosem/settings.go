package dlms_cosem

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Settings are the keys that stand at the top, as defaults, and in each
// request.
//
// To add one: 1. a field here, whose zero value means "not set"; 2. a line in
// inherit; 3. its check in checkSettings; 4. sample.conf. A test proves that no
// field is left out of inherit.
type Settings struct {
	Endpoint string `toml:"endpoint"`
	Framing  string `toml:"framing"`

	BaudRate Number `toml:"baud_rate"`
	DataBits *int   `toml:"data_bits"`
	Parity   string `toml:"parity"`
	StopBits *int   `toml:"stop_bits"`
	DTR      string `toml:"dtr"`
	RTS      string `toml:"rts"`

	ProtocolMode    string   `toml:"protocol_mode"`
	IECAddress      string   `toml:"iec_address"`
	MaxBaud         *int     `toml:"max_baud"`
	FixedBaud       *int     `toml:"fixed_baud"`
	BaudChangeDelay Duration `toml:"baud_change_delay"`
	Software7E1     *bool    `toml:"software_7e1"`
	Wakeup          Duration `toml:"wakeup"`

	Link              string   `toml:"link"`
	ReplyTimeout      Duration `toml:"reply_timeout"`
	InterOctetTimeout Duration `toml:"inter_octet_timeout"`
	ConnectTimeout    Duration `toml:"connect_timeout"`
	Retries           *int     `toml:"retries"`
	Timeout           Duration `toml:"timeout"`
	MinInterval       Duration `toml:"min_interval"`

	Meter           string `toml:"meter"`
	Enabled         *bool  `toml:"enabled"`
	PhysicalAddress any    `toml:"physical_address"` // 17, "1,2,3,4" or [1, 2, 3, 4]
	SerialNumber    any    `toml:"serial_number"`    // likewise
	AddressFormula  string `toml:"address_formula"`
	LogicalAddress  *int   `toml:"logical_address"`
	AddressSize     Number `toml:"address_size"`
	ClientAddress   *int   `toml:"client_address"`
	GatewayNetwork  *int   `toml:"gateway_network"`
	GatewayDevice   string `toml:"gateway_device"` // text, or "hex:..."

	Referencing    string `toml:"referencing"`
	Authentication string `toml:"authentication"`
	Password       Secret `toml:"password"`

	Preset      string   `toml:"preset"`
	PresetItems []string `toml:"preset_items"`

	SendRequests          *bool    `toml:"send_requests"`
	AssumeOrder           *bool    `toml:"assume_order"`
	Identity              string   `toml:"identity"`
	Security              string   `toml:"security"`
	SecuritySuite         *int     `toml:"security_suite"`
	Ciphering             string   `toml:"ciphering"`
	SystemTitle           string   `toml:"system_title"`
	ServerSystemTitle     string   `toml:"server_system_title"`
	InvocationCounter     Number   `toml:"invocation_counter"`
	InvocationCounterOBIS string   `toml:"invocation_counter_obis"`
	EncryptionKey         Secret   `toml:"encryption_key"`
	AuthenticationKey     Secret   `toml:"authentication_key"`
	DedicatedKey          Secret   `toml:"dedicated_key"`
	MasterKey             Secret   `toml:"master_key"`
	SigningKey            Secret   `toml:"signing_key"`
	ServerSigningKey      Secret   `toml:"server_signing_key"`
	AgreementKey          Secret   `toml:"agreement_key"`
	ServerAgreementKey    Secret   `toml:"server_agreement_key"`
	Certificate           Secret   `toml:"certificate"`
	CACertificate         Secret   `toml:"ca_certificate"`
	Signed                *bool    `toml:"signed"`
	ChallengeSize         *int     `toml:"challenge_size"`
	AssociationObject     string   `toml:"association_object"`
	KeysFile              string   `toml:"keys_file"`
	AllowUnauthenticated  *bool    `toml:"allow_unauthenticated"`
	AllowedSources        []string `toml:"allowed_sources"`
	ConfirmPush           *bool    `toml:"confirm_push"`
	Timestamp             string   `toml:"timestamp"`

	KeepOpen    string `toml:"keep_open"`
	MaxInfo     *int   `toml:"max_info"`
	Window      *int   `toml:"window"`
	MaxPDU      *int   `toml:"max_pdu"`
	BlockWindow *int   `toml:"block_window"`
	MaxAPDU     *int   `toml:"max_apdu"`
	MaxDepth    *int   `toml:"max_depth"`
	MaxBlocks   *int   `toml:"max_blocks"`

	Method       string   `toml:"method"`
	Times        string   `toml:"times"`
	Cron         string   `toml:"cron"`
	Timezone     string   `toml:"timezone"`
	MisfireGrace Duration `toml:"misfire_grace"`
	RetryWindow  Duration `toml:"retry_window"`

	Layout        string `toml:"layout"`
	Measurement   string `toml:"measurement"`
	MeterTimezone string `toml:"meter_timezone"`
	Deviation     string `toml:"deviation"`

	Workarounds Workarounds `toml:"workarounds"`
}

// Workarounds are switches for single quirks of meters, each named after what
// it does.
type Workarounds struct {
	AssumeConformance  string `toml:"assume_conformance"`  // services that are used although the meter does not grant them
	ClientSegmentation *bool  `toml:"client_segmentation"` // requests too long for a frame go out in segments
	SNRMParameters     string `toml:"snrm_parameters"`     // auto, always, never
	ListMax            *int   `toml:"list_max"`            // attributes in a list
	ForceModeE         *bool  `toml:"force_mode_e"`        // go on with a meter that does not announce mode E
	PlainRelease       *bool  `toml:"plain_release"`       // the release of a ciphered association is not ciphered
	DigitSum           *bool  `toml:"digit_sum"`           // authentication high adds up digits; the meter proves nothing
}

func (w *Workarounds) inherit(d *Workarounds) {
	w.AssumeConformance = cmp.Or(w.AssumeConformance, d.AssumeConformance)
	w.ClientSegmentation = cmp.Or(w.ClientSegmentation, d.ClientSegmentation)
	w.SNRMParameters = cmp.Or(w.SNRMParameters, d.SNRMParameters)
	w.ListMax = cmp.Or(w.ListMax, d.ListMax)
	w.ForceModeE = cmp.Or(w.ForceModeE, d.ForceModeE)
	w.PlainRelease = cmp.Or(w.PlainRelease, d.PlainRelease)
	w.DigitSum = cmp.Or(w.DigitSum, d.DigitSum)
}

// inherit takes over what is not set from the defaults at the top.
func (s *Settings) inherit(d *Settings) {
	s.Endpoint = cmp.Or(s.Endpoint, d.Endpoint)
	s.Framing = cmp.Or(s.Framing, d.Framing)
	s.BaudRate = cmp.Or(s.BaudRate, d.BaudRate)
	s.DataBits = cmp.Or(s.DataBits, d.DataBits)
	s.Parity = cmp.Or(s.Parity, d.Parity)
	s.StopBits = cmp.Or(s.StopBits, d.StopBits)
	s.DTR = cmp.Or(s.DTR, d.DTR)
	s.RTS = cmp.Or(s.RTS, d.RTS)
	s.ProtocolMode = cmp.Or(s.ProtocolMode, d.ProtocolMode)
	s.IECAddress = cmp.Or(s.IECAddress, d.IECAddress)
	s.MaxBaud = cmp.Or(s.MaxBaud, d.MaxBaud)
	s.FixedBaud = cmp.Or(s.FixedBaud, d.FixedBaud)
	s.BaudChangeDelay = cmp.Or(s.BaudChangeDelay, d.BaudChangeDelay)
	s.Software7E1 = cmp.Or(s.Software7E1, d.Software7E1)
	s.Wakeup = cmp.Or(s.Wakeup, d.Wakeup)
	s.Link = cmp.Or(s.Link, d.Link)
	s.ReplyTimeout = cmp.Or(s.ReplyTimeout, d.ReplyTimeout)
	s.InterOctetTimeout = cmp.Or(s.InterOctetTimeout, d.InterOctetTimeout)
	s.ConnectTimeout = cmp.Or(s.ConnectTimeout, d.ConnectTimeout)
	s.Retries = cmp.Or(s.Retries, d.Retries)
	s.Timeout = cmp.Or(s.Timeout, d.Timeout)
	s.MinInterval = cmp.Or(s.MinInterval, d.MinInterval)
	s.Meter = cmp.Or(s.Meter, d.Meter)
	s.Enabled = cmp.Or(s.Enabled, d.Enabled)
	if s.PhysicalAddress == nil {
		s.PhysicalAddress = d.PhysicalAddress
	}
	if s.SerialNumber == nil {
		s.SerialNumber = d.SerialNumber
	}
	s.AddressFormula = cmp.Or(s.AddressFormula, d.AddressFormula)
	s.LogicalAddress = cmp.Or(s.LogicalAddress, d.LogicalAddress)
	s.AddressSize = cmp.Or(s.AddressSize, d.AddressSize)
	s.ClientAddress = cmp.Or(s.ClientAddress, d.ClientAddress)
	s.GatewayNetwork = cmp.Or(s.GatewayNetwork, d.GatewayNetwork)
	s.GatewayDevice = cmp.Or(s.GatewayDevice, d.GatewayDevice)
	s.Referencing = cmp.Or(s.Referencing, d.Referencing)
	s.Authentication = cmp.Or(s.Authentication, d.Authentication)
	s.Password = cmp.Or(s.Password, d.Password)
	s.Preset = cmp.Or(s.Preset, d.Preset)
	if s.PresetItems == nil {
		s.PresetItems = d.PresetItems
	}
	s.SendRequests = cmp.Or(s.SendRequests, d.SendRequests)
	s.AssumeOrder = cmp.Or(s.AssumeOrder, d.AssumeOrder)
	s.Identity = cmp.Or(s.Identity, d.Identity)
	s.inheritSecurity(d)
	s.KeysFile = cmp.Or(s.KeysFile, d.KeysFile)
	s.AllowUnauthenticated = cmp.Or(s.AllowUnauthenticated, d.AllowUnauthenticated)
	if s.AllowedSources == nil {
		s.AllowedSources = d.AllowedSources
	}
	s.ConfirmPush = cmp.Or(s.ConfirmPush, d.ConfirmPush)
	s.Timestamp = cmp.Or(s.Timestamp, d.Timestamp)
	s.KeepOpen = cmp.Or(s.KeepOpen, d.KeepOpen)
	s.MaxInfo = cmp.Or(s.MaxInfo, d.MaxInfo)
	s.Window = cmp.Or(s.Window, d.Window)
	s.MaxPDU = cmp.Or(s.MaxPDU, d.MaxPDU)
	s.BlockWindow = cmp.Or(s.BlockWindow, d.BlockWindow)
	s.MaxAPDU = cmp.Or(s.MaxAPDU, d.MaxAPDU)
	s.MaxDepth = cmp.Or(s.MaxDepth, d.MaxDepth)
	s.MaxBlocks = cmp.Or(s.MaxBlocks, d.MaxBlocks)
	s.Method = cmp.Or(s.Method, d.Method)
	s.Times = cmp.Or(s.Times, d.Times)
	s.Cron = cmp.Or(s.Cron, d.Cron)
	s.Timezone = cmp.Or(s.Timezone, d.Timezone)
	s.MisfireGrace = cmp.Or(s.MisfireGrace, d.MisfireGrace)
	s.RetryWindow = cmp.Or(s.RetryWindow, d.RetryWindow)
	s.Layout = cmp.Or(s.Layout, d.Layout)
	s.Measurement = cmp.Or(s.Measurement, d.Measurement)
	s.MeterTimezone = cmp.Or(s.MeterTimezone, d.MeterTimezone)
	s.Deviation = cmp.Or(s.Deviation, d.Deviation)
	s.Workarounds.inherit(&d.Workarounds)
}

// inheritSecurity is inherit for the keys of secured meters.
func (s *Settings) inheritSecurity(d *Settings) {
	s.Security = cmp.Or(s.Security, d.Security)
	s.SecuritySuite = cmp.Or(s.SecuritySuite, d.SecuritySuite)
	s.Ciphering = cmp.Or(s.Ciphering, d.Ciphering)
	s.SystemTitle = cmp.Or(s.SystemTitle, d.SystemTitle)
	s.ServerSystemTitle = cmp.Or(s.ServerSystemTitle, d.ServerSystemTitle)
	s.InvocationCounter = cmp.Or(s.InvocationCounter, d.InvocationCounter)
	s.InvocationCounterOBIS = cmp.Or(s.InvocationCounterOBIS, d.InvocationCounterOBIS)
	s.EncryptionKey = cmp.Or(s.EncryptionKey, d.EncryptionKey)
	s.AuthenticationKey = cmp.Or(s.AuthenticationKey, d.AuthenticationKey)
	s.DedicatedKey = cmp.Or(s.DedicatedKey, d.DedicatedKey)
	s.MasterKey = cmp.Or(s.MasterKey, d.MasterKey)
	s.SigningKey = cmp.Or(s.SigningKey, d.SigningKey)
	s.ServerSigningKey = cmp.Or(s.ServerSigningKey, d.ServerSigningKey)
	s.AgreementKey = cmp.Or(s.AgreementKey, d.AgreementKey)
	s.ServerAgreementKey = cmp.Or(s.ServerAgreementKey, d.ServerAgreementKey)
	s.Certificate = cmp.Or(s.Certificate, d.Certificate)
	s.CACertificate = cmp.Or(s.CACertificate, d.CACertificate)
	s.Signed = cmp.Or(s.Signed, d.Signed)
	s.ChallengeSize = cmp.Or(s.ChallengeSize, d.ChallengeSize)
	s.AssociationObject = cmp.Or(s.AssociationObject, d.AssociationObject)
}

// A Request reads items from one meter, or from several at the addresses of a
// link.
type Request struct {
	Settings

	Name     string            `toml:"name"`
	Interval Duration          `toml:"interval"`
	Tags     map[string]string `toml:"tags"`
	Item     []Item            `toml:"item"`
	Profile  []Profile         `toml:"profile"`
}

// A Profile is a load profile, a billing profile or an event log: its rows are
// read, each with the time at which the meter captured it.
type Profile struct {
	Name     string   `toml:"name"`
	OBIS     string   `toml:"obis"`
	Lookback Duration `toml:"lookback"`
	MaxAge   Duration `toml:"max_age"`
	Columns  []string `toml:"columns"`
	Rate     *int     `toml:"rate"`
	Reread   Duration `toml:"reread"`
}

// An Item is one value.
type Item struct {
	Name        string  `toml:"name"`
	OBIS        string  `toml:"obis"`
	Index       any     `toml:"index"` // 4, or "4.1": the place in a push without OBIS codes
	Class       *int    `toml:"class"`
	Attribute   *int    `toml:"attribute"`
	BaseName    *int    `toml:"base_name"`
	DataType    string  `toml:"data_type"`
	Element     any     `toml:"element"` // "2.1"
	Scaler      *int    `toml:"scaler"`
	Unit        *string `toml:"unit"`
	Scale       any     `toml:"scale"`
	ApplyScaler *bool   `toml:"apply_scaler"`
	Timestamp   string  `toml:"timestamp"`
}

// A Duration is a length of time as text: "500ms", "10s", "1m30s", "7d". It
// keeps what it cannot read: Init reports all mistakes at once.
type Duration struct {
	text  string
	value time.Duration
	bad   bool
}

// UnmarshalText never fails; Init reports what is no duration.
func (d *Duration) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	v, err := parseDuration(s)
	*d = Duration{text: s, value: v, bad: err != nil}
	return nil
}

// parseDuration reads what time.ParseDuration does, and days of 24 hours in
// front of it: "7d", "1d12h".
func parseDuration(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil || rest == "" {
		return time.Duration(n) * 24 * time.Hour, err
	}
	v, err := time.ParseDuration(rest)
	if v < 0 {
		err = strconv.ErrSyntax
	}
	return time.Duration(n)*24*time.Hour + v, err
}

// Set reports whether the key is there.
func (d Duration) Set() bool { return d != Duration{} }

// Or returns the duration, or that one if it is not set.
func (d Duration) Or(that time.Duration) time.Duration {
	if !d.Set() {
		return that
	}
	return d.value
}

// A Number is a number, or a word in place of one: 2 or "auto".
type Number struct {
	text string
}

// UnmarshalText never fails; Init reports what is not allowed.
func (n *Number) UnmarshalText(text []byte) error {
	n.text = strings.TrimSpace(string(text))
	if n.text == "" {
		n.text = `""`
	}
	return nil
}

// value returns the number; ok is false if there is none.
func (n Number) value() (v int, ok bool) {
	v, err := strconv.Atoi(n.text)
	return v, err == nil
}
