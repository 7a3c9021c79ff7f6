namespace LlmPipeline;

/// <summary>A thing that is wrong in an input file.</summary>
/// <param name="Line">The line, from 1; blank lines count.</param>
/// <param name="Field">The field, such as <c>body.model</c>; null when it is the line as a whole.</param>
/// <param name="What">What is wrong with it, for people.</param>
public sealed record InputError(int Line, string? Field, string What)
{
    /// <summary>OpenAI's code for an error in a batch file, such as <c>invalid_json_line</c> or <c>duplicate_custom_id</c>.</summary>
    public string Code { get; init; } = InvalidRequest;

    /// <summary>The file, of an input of several; null where there is one.</summary>
    public string? File { get; init; }

    internal const string InvalidRequest = "invalid_request";
    internal const string InvalidJson = "invalid_json_line";
    internal const string DuplicateId = "duplicate_custom_id";
    internal const string ModelMismatch = "model_mismatch";
    internal const string UrlMismatch = "url_mismatch";
    internal const string TooMany = "too_many_tasks";

    // An error is a line of a terminal or of a log: names from the file are cut and lose their control characters.
    internal static string Shown(string text)
    {
        const int Most = 100;
        var shown = text.Length <= Most ? text : text[..Most] + "…";
        return shown.AsSpan().ContainsAnyInRange('\0', '\x1F') ? string.Concat(shown.Select(c => char.IsControl(c) ? '\uFFFD' : c)) : shown;
    }

    /// <summary>The error as one line: <c>FILE:LINE: field: what</c>.</summary>
    /// <param name="file">The file's name as the user gave it.</param>
    public string Format(string file) => Field is null ? $"{File ?? file}:{Line}: {What}" : $"{File ?? file}:{Line}: {Field}: {What}";
}
