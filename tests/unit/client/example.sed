# The literal block of libpoppo(3), as C: mdoc writes a backslash as \e.
/^\.Bd -literal/,/^\.Ed/ {
        /^\./d
        s/\\e/\\/g
        p
}
