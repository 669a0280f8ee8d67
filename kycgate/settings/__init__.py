"""What did the user choose: profile, its template, severities and waivers."""
