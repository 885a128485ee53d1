package dlms_cosem

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// associationKey is what the configuration says about how to associate.
type associationKey struct {
	maxPDU int // as dlms.AssociationConfig has it
	assume xdlms.Conformance
	short  bool // short-name referencing

	challenge              int       // octets; 0: by default
	object                 obis.Code // which replies to a challenge; zero: the current association
	digitSum, plainRelease bool
	blockWindow            int
}

// limits are the sizes that a connection proposes and the caps it keeps.
type limits struct {
	maxInfo, window, maxAPDU, maxDepth, maxBlocks int
	listMax                                       int
	segmentRequests                               bool
	snrm                                          dlms.SNRMForm
}

// checkLimits reports sizes, caps and workarounds that are not allowed.
func checkLimits(sc scope, s *Settings) {
	sc.oneOf("keep_open", s.KeepOpen, "auto", "never", "always")
	checkNumber(sc, "max_info", s.MaxInfo, 32, longestInfo)
	checkNumber(sc, "window", s.Window, 1, 7)
	if s.MaxPDU != nil && *s.MaxPDU != 0 && (*s.MaxPDU < 12 || *s.MaxPDU > math.MaxUint16) {
		sc.bad("max_pdu", strconv.Itoa(*s.MaxPDU), "out of range: 12 to 65535 is allowed, and 0, which means no limit")
	}
	checkNumber(sc, "block_window", s.BlockWindow, 0, xdlms.MaxWindow)
	checkNumber(sc, "max_apdu", s.MaxAPDU, 1024, 1<<30)
	checkNumber(sc, "max_depth", s.MaxDepth, 1, 32)
	checkNumber(sc, "max_blocks", s.MaxBlocks, 1, math.MaxInt32)
	w := &s.Workarounds
	if _, unknown := parseServices(w.AssumeConformance); unknown != "" {
		sc.bad("workarounds.assume_conformance", strconv.Quote(w.AssumeConformance), "%q is none of the services of a reader: %s",
			unknown, strings.Join(serviceNames(), ", "))
	}
	checkNumber(sc, "challenge_size", s.ChallengeSize, 8, 64)
	if _, err := obis.Parse(s.AssociationObject); err != nil && s.AssociationObject != "" {
		sc.bad("association_object", strconv.Quote(s.AssociationObject), "%v", err)
	}
	sc.oneOf("workarounds.snrm_parameters", w.SNRMParameters, "auto", "always", "never")
	checkNumber(sc, "workarounds.list_max", w.ListMax, 1, longestList)
}

// buildLimits fills in the sizes and caps; 0 is the default of package dlms.
func buildLimits(s *Settings, r *request) {
	r.keepOpen = parseKeepOpen(s.KeepOpen)
	r.association.maxPDU = intOr0(s.MaxPDU)
	if s.MaxPDU != nil && *s.MaxPDU == 0 {
		r.association.maxPDU = -1
	}
	r.association.blockWindow = intOr0(s.BlockWindow)
	r.association.challenge = intOr0(s.ChallengeSize)
	r.association.object, _ = obis.Parse(s.AssociationObject)
	r.association.digitSum = s.Workarounds.DigitSum != nil && *s.Workarounds.DigitSum
	r.association.plainRelease = s.Workarounds.PlainRelease != nil && *s.Workarounds.PlainRelease
	r.association.assume, _ = parseServices(s.Workarounds.AssumeConformance)
	r.limits = limits{
		maxInfo: intOr0(s.MaxInfo), window: intOr0(s.Window), maxAPDU: intOr0(s.MaxAPDU),
		maxDepth: intOr0(s.MaxDepth), maxBlocks: intOr0(s.MaxBlocks), listMax: intOr0(s.Workarounds.ListMax),
		segmentRequests: s.Workarounds.ClientSegmentation != nil && *s.Workarounds.ClientSegmentation,
	}
	switch s.Workarounds.SNRMParameters {
	case "always":
		r.limits.snrm = dlms.SNRMParameters
	case "never":
		r.limits.snrm = dlms.SNRMPlain
	default:
	}
}

// checkChallenge reports settings of the login that its mechanism does not have.
func checkChallenge(sc requestScope, s *Settings, r *request) {
	high := r.mechanism.HighLevel()
	for _, key := range []string{"challenge_size", "association_object"} {
		if !high && sc.own.sets(key) {
			sc.bad(key, "", `without high-level security, as authentication = "high-gmac", it has no effect: remove it`)
		}
	}
	w := &sc.own.Workarounds
	switch {
	case r.association.short && sc.own.AssociationObject != "":
		sc.bad("association_object", strconv.Quote(s.AssociationObject), `with referencing = "sn" it has no effect: remove it`)
	case w.DigitSum != nil && *w.DigitSum && r.mechanism != acse.HLS:
		sc.scope.bad("workarounds.digit_sum", "true", `it belongs to authentication = "high": set that, or remove it`)
	default:
	}
}

// intOr0 is what a key says; 0 if it is not there.
func intOr0(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// services are those that a meter may be assumed to have.
func services() []xdlms.Conformance {
	return []xdlms.Conformance{xdlms.ConformanceGet, xdlms.ConformanceMultipleReferences,
		xdlms.ConformanceSelectiveAccess, xdlms.ConformanceBlockTransferWithGetOrRead}
}

func serviceNames() []string {
	var names []string
	for _, c := range services() {
		names = append(names, c.String())
	}
	return names
}

// parseServices reads "get, multiple-references". unknown is a name that is no
// such service.
func parseServices(list string) (c xdlms.Conformance, unknown string) {
	if strings.TrimSpace(list) == "" {
		return 0, ""
	}
	names := serviceNames()
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(names, strings.TrimSpace(name))
		if i < 0 {
			return 0, strings.TrimSpace(name)
		}
		c |= services()[i]
	}
	return c, ""
}
