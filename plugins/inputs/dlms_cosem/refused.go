package dlms_cosem

// RefusedKeys returns the settings which Telegraf has for every plugin and
// which are not allowed in the plugin's own table, each with what to do
// instead. The program's reader of configuration files asks for them.
func (*DLMS) RefusedKeys() map[string]string {
	const outside = "set it in [[inputs.execd]] of Telegraf's own configuration"
	return map[string]string{
		"interval":               "set it in the request, or as interval of [[inputs.execd]] for requests with method gather",
		"tags":                   "put them into the request as [inputs.dlms_cosem.request.tags], or into [inputs.execd.tags] of Telegraf's own configuration",
		"name_override":          "use measurement",
		"name_prefix":            "use measurement",
		"name_suffix":            "use measurement",
		"alias":                  outside,
		"precision":              outside,
		"collection_jitter":      outside,
		"collection_offset":      outside,
		"log_level":              "use the flag -debug",
		"startup_error_behavior": "a meter that cannot be reached never stops the program",
		"namepass":               outside,
		"namedrop":               outside,
		"fieldinclude":           outside,
		"fieldexclude":           outside,
		"taginclude":             outside,
		"tagexclude":             outside,
		"tagpass":                outside,
		"tagdrop":                outside,
		"metricpass":             outside,
	}
}
