package main

import _ "time/tzdata" // meter_timezone works on hosts without zone files, too
