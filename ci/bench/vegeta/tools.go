//go:build tools

package bench

import _ "github.com/tsenart/vegeta/v12"
