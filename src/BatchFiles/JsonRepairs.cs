namespace LlmPipeline;

/// <summary>What <see cref="JsonRepair"/> repairs. A number that is none (<c>NaN</c>) and a byte order mark are repaired always.</summary>
[Flags]
internal enum JsonRepairs
{
    None = 0,

    /// <summary>Bytes that are not UTF-8 become U+FFFD.</summary>
    Bytes = 1,

    /// <summary>The escape of a lone surrogate becomes that of U+FFFD.</summary>
    Surrogates = 2,

    /// <summary>
    /// Control characters and unescaped backslashes in strings are escaped; comments, trailing commas and the text after the first value
    /// are removed; the constants of Python and JavaScript become those of JSON.
    /// </summary>
    Syntax = 4,
}
