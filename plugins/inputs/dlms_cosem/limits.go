package dlms_cosem

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// associationKey is what the configuration says about how to associate.
type associationKey struct {
	maxPDU int // as dlms.AssociationConfig has it
	assume xdlms.Conformance
	short  bool // short-name referencing
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
	checkNumber(sc, "max_apdu", s.MaxAPDU, 1024, 1<<30)
	checkNumber(sc, "max_depth", s.MaxDepth, 1, 32)
	checkNumber(sc, "max_blocks", s.MaxBlocks, 1, math.MaxInt32)
	w := &s.Workarounds
	if _, unknown := parseServices(w.AssumeConformance); unknown != "" {
		sc.bad("workarounds.assume_conformance", strconv.Quote(w.AssumeConformance), "%q is none of the services of a reader: %s",
			unknown, strings.Join(serviceNames(), ", "))
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
