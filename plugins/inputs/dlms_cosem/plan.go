package dlms_cosem

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/preset"
	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

// request is a configured request, checked and ready to run.
type request struct {
	name    string
	meter   string
	enabled bool

	endpoint endpoint
	line     serial.Settings // of a serial port
	signOn   *dlms.SignOn    // nil: the meter speaks HDLC at once
	framing  dlms.Framing

	client, logical uint16
	addressSize     int
	gateway         *xdlms.Gateway // nil: none
	devices         []*device

	replyTimeout, interOctetTimeout, connectTimeout time.Duration
	timeout, minInterval                            time.Duration
	timeoutGiven                                    bool // the configuration sets it
	retries                                         int
	limits                                          limits
	keepOpen                                        keepOpen
	association                                     associationKey

	mechanism acse.Mechanism
	password  Secret

	schedule schedule.Schedule
	timezone *time.Location // of the schedule

	wide             bool
	measurement      string
	measurementGiven bool // by the configuration
	location         *time.Location
	deviation        deviation
	tags             map[string]string // user tags

	items []*item
	match preset.Match // which meters the items are for

	profiles []*profile
	profile  *profile // the request is one for this one alone

	listening
}

// device is one address of a request.
type device struct {
	physical uint16
	tag      string // value of the tag address; empty without a physical address
	id       string // value of the tag device: who it was that we heard; empty where we ask
}

// buildRequest checks a request, merged with the defaults, and makes it ready.
func (d *DLMS) buildRequest(sc scope, own *Request, start time.Time) *request {
	top := &d.Settings
	checkSettings(sc, &own.Settings)
	merged := own.Settings
	merged.inherit(top)
	rsc := requestScope{scope: sc, own: &own.Settings, top: top}
	items, known, file := d.usePreset(rsc, own, &merged)
	r := &request{
		name:        own.Name,
		meter:       merged.Meter,
		enabled:     merged.Enabled == nil || *merged.Enabled,
		wide:        merged.Layout == "wide",
		measurement: merged.Measurement,
		deviation:   parseDeviation(merged.Deviation),
		tags:        own.Tags,
	}
	if strings.TrimSpace(own.Name) == "" {
		sc.missing("name", "this key is required: it tells the requests apart")
	}
	if r.meter == "" {
		r.meter = own.Name
	}
	r.measurementGiven = r.measurement != ""
	if !r.measurementGiven {
		r.measurement = valueMeasurement
		if r.wide {
			r.measurement = wideMeasurement
		}
	}
	buildLink(rsc, &merged, r)
	buildSchedule(rsc, &merged, own.Interval, start, r)
	if zone, err := loadZone(merged.MeterTimezone); err == nil {
		r.location = zone
	} else {
		r.location = time.UTC
	}
	checkTags(sc, own.Tags)
	if r.passive {
		if len(own.Profile) > 0 {
			sc.missing("profile", "a profile is read by asking for it, and this request only listens: give it a request of its own")
		}
		d.buildHeard(rsc, own, items, &merged, r)
		return r
	}
	r.match = file.Match
	if len(items) > 0 || len(own.Profile) == 0 {
		r.items = buildItems(sc, items, r.wide)
	}
	checkNames(sc, items, r)
	r.profiles = buildProfiles(sc, own, known, file.Events)
	return r
}

// reservedTags are the plugin's own.
func reservedTags() []string {
	return []string{"meter", "source", "address", "logical", "obis", "name", "unit", "attribute", "class", "device", "request", "result", "profile"}
}

func checkTags(sc scope, tags map[string]string) {
	keys := valueKeys(reflect.TypeFor[Request]())
	for _, name := range sortedKeys(tags) {
		key, val := "tags."+name, strconv.Quote(tags[name])
		switch {
		case strings.TrimSpace(name) == "":
			sc.bad(`tags.""`, val, "a tag needs a name")
		case name == "password":
			sc.missing(key, "a secret would stand in every metric: keys below [inputs.dlms_cosem.request.tags] are tags; put the password above that line")
		case tags[name] == "":
			sc.bad(key, val, "a tag cannot be empty: give it a value or remove it")
		case name == "time":
			sc.bad(key, val, "databases keep this name for the timestamp: choose another one")
		case slices.Contains(reservedTags(), name):
			sc.bad(key, val, "this tag belongs to the plugin: choose another name")
		case slices.Contains(keys, name):
			sc.warn("tag %q has the name of a key: in TOML a key that stands below [inputs.dlms_cosem.request.tags] belongs to the tags; put it above", name)
		default:
		}
	}
}

// deviceKey says which device a back-off belongs to: the station, and how we
// log in.
type deviceKey struct {
	framing           dlms.Framing
	logical, physical uint16
	client            uint16
	mechanism         acse.Mechanism
	password          string
	gateway           string
	keys              string
}

func (r *request) deviceKey(d *device) deviceKey {
	return deviceKey{r.framing, r.logical, d.physical, r.client, r.mechanism, r.password.source, r.behind(), r.keys[0].source + " " + r.keys[1].source}
}

// memoryKey says which device something is learned about: where it is, and as
// which client we see it.
func (r *request) memoryKey(d *device) string {
	who := ""
	if d.id != "" {
		who = " of " + d.id
	}
	return fmt.Sprintf("%s%s %s %d/%d client %d%s", r.endpoint, who, strings.ToLower(r.framing.String()), r.logical, d.physical, r.client, r.behind())
}

// connConfig is how the library reaches a device, beginning with what is known.
func (r *request) connConfig(d *device, m *memory) dlms.ConnConfig {
	retries := r.retries
	if retries == 0 {
		retries = -1
	}
	return dlms.ConnConfig{
		Framing:           r.framing,
		ClientAddress:     r.client,
		LogicalAddress:    r.logical,
		PhysicalAddress:   d.physical,
		AddressSize:       r.addressSize,
		Gateway:           r.gateway,
		Datagram:          r.endpoint.network == "udp",
		ReplyTimeout:      r.replyTimeout,
		InterOctetTimeout: r.interOctetTimeout,
		MinInterval:       r.minInterval,
		Retries:           retries,
		MaxInfo:           r.limits.maxInfo,
		Window:            r.limits.window,
		MaxAPDU:           r.limits.maxAPDU,
		MaxDepth:          r.limits.maxDepth,
		MaxBlocks:         r.limits.maxBlocks,
		ListMax:           r.limits.listMax,
		SNRM:              r.limits.snrm,
		SegmentRequests:   r.limits.segmentRequests,
		Learned:           m.Link,
	}
}

// login returns how to associate, and a print of the password by which a
// change of it is noticed.
func (r *request) login() (cfg dlms.AssociationConfig, print [sha256.Size]byte, err error) {
	cfg.Mechanism, cfg.MaxPDU, cfg.AssumeConformance = r.mechanism, r.association.maxPDU, r.association.assume
	cfg.ShortNames, cfg.ChallengeSize, cfg.AssociationObject = r.association.short, r.association.challenge, r.association.object
	cfg.DigitSum, cfg.PlainRelease, cfg.GeneralBlocks = r.association.digitSum, r.association.plainRelease, r.association.blockWindow
	secrets, err := r.protect(&cfg)
	if err != nil {
		return cfg, print, err
	}
	if r.mechanism.HasSecret() {
		if cfg.Password, err = r.password.Get(); err != nil {
			return cfg, print, &passwordError{"password", err}
		}
		if len(cfg.Password) == 0 {
			return cfg, print, &passwordError{"password", errors.New("it is empty")}
		}
	}
	if len(secrets)+len(cfg.Password) == 0 {
		return cfg, print, nil
	}
	return cfg, sha256.Sum256(append(secrets, cfg.Password...)), nil
}

// where is the request's meter for people.
func (r *request) where(d *device) string {
	s := fmt.Sprintf("request %q", r.name)
	if r.meter != r.name {
		s += fmt.Sprintf(", meter %q", r.meter)
	}
	s += ", " + r.endpoint.address
	if d.tag != "" {
		s += ", address " + d.tag
	}
	return s
}

// PlannedRequest is what a request has become, for people.
type PlannedRequest struct {
	Link      string // endpoint; requests with the same one run one by one
	Name      string
	Meter     string
	Enabled   bool
	Addresses []string // physical addresses; empty: none
	Logical   uint16
	Framing   string
	Client    uint16
	Login     string // "none", "low"
	Method    string
	Interval  time.Duration
	When      string // how times or cron were read; empty for other methods
	Timezone  string // of times and cron
	Timeout   time.Duration
	Layout    string
	Items     []PlannedItem
	Profiles  []PlannedProfile
	Listens   bool   // it asks nothing: it takes what is pushed
	Hears     string // with Listens: from whom, and under which keys
	schedule  schedule.Schedule
}

// PlannedItem is what an item has become, for people.
type PlannedItem struct {
	Name      string // empty if it has none
	OBIS      string
	Class     uint16
	ClassName string
	Guessed   bool // the class is the standard's for this OBIS code
	Attribute int
}

// PlannedProfile is what a profile has become, for people.
type PlannedProfile struct {
	Name     string // its OBIS code, if it has no other one
	OBIS     string
	Columns  []string // as they are written; empty: all
	Lookback time.Duration
	MaxAge   time.Duration // 0: no limit
	Reread   time.Duration // 0: never
	Rate     int           // rows per second
}

// Next lists the next n runs of a request that starts now. Ticks cannot be
// foreseen: a request with method gather has none.
func (p PlannedRequest) Next(now time.Time, n int) []time.Time {
	if p.Listens {
		return nil
	}
	return p.schedule.Next(now, n)
}

// planListening says what a request that only listens does.
func (p *PlannedRequest) planListening(r *request) {
	p.Listens, p.Method = true, "listen"
	if r.framing == 0 {
		p.Framing = "any framing"
	}
	from := "everybody"
	if r.identity != "" {
		from = "devices like " + r.identity
	}
	switch {
	case r.keysFile != "":
		from += ", with the keys in " + r.keysFile
	case r.keyed() && r.keys[1].Set():
		from += ", with encryption and authentication key"
	case r.keyed():
		from += ", with an encryption key"
	default:
		from += ", without keys"
	}
	if r.unproven && r.keyed() {
		from += "; telegrams that prove nothing are taken, too"
	}
	p.Hears = from
}

// Plan lists the requests in the order of the file. It is complete after Init.
func (d *DLMS) Plan() []PlannedRequest {
	var plan []PlannedRequest
	for _, r := range d.requests {
		p := PlannedRequest{
			Link: r.endpoint.String(), Name: r.name, Meter: r.meter, Enabled: r.enabled,
			Logical: r.logical, Framing: strings.ToLower(r.framing.String()), Client: r.client, Login: "none",
			Method: r.schedule.Method.String(), Interval: r.schedule.Interval, Timeout: r.timeout,
			Layout: "obis", schedule: r.schedule,
		}
		p.Login = mechanismWord(r.mechanism)
		switch r.schedule.Method {
		case schedule.Clock:
			p.When, p.Timezone = r.schedule.Times.String(), r.timezone.String()
		case schedule.Crontab:
			p.When, p.Timezone = r.schedule.Cron.String(), r.timezone.String()
		default:
		}
		if r.wide {
			p.Layout = "wide"
		}
		if r.passive {
			p.planListening(r)
		}
		for _, dev := range r.devices {
			if dev.tag != "" {
				p.Addresses = append(p.Addresses, dev.tag)
			}
		}
		for _, it := range r.items {
			p.Items = append(p.Items, PlannedItem{Name: it.name, OBIS: it.obis.String(), Class: uint16(it.class),
				ClassName: it.class.String(), Guessed: !it.classSet, Attribute: int(it.id)})
		}
		for _, f := range r.profiles {
			p.Profiles = append(p.Profiles, PlannedProfile{Name: f.name, OBIS: f.obis.String(), Columns: f.written,
				Lookback: f.lookback, MaxAge: f.maxAge, Reread: f.reread, Rate: f.rate})
		}
		plan = append(plan, p)
	}
	return plan
}
