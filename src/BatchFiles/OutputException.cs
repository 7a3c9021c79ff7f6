namespace LlmPipeline;

/// <summary>The output of a run cannot be used or written. The message is one line for people and names the path.</summary>
public sealed class OutputException : IOException
{
    private OutputException(string message, bool refused, Exception? inner)
        : base(message, inner) => Refused = refused;

    /// <summary>
    /// True: the output was asked for wrongly (it is the input, a folder, another run's) and nothing was created or changed.
    /// False: the system did not let it be written (no permission, disk full).
    /// </summary>
    public bool Refused { get; }

    internal static OutputException Refuse(string message) => new(message, refused: true, inner: null);

    internal static OutputException Broke(string path, Exception reason) =>
        new($"{path} cannot be written: {Reason(reason)}", refused: false, reason);

    internal static OutputException Changed(string path) =>
        new($"{path} was changed by somebody else while the run went on; run again to continue", refused: false, inner: null);

    internal static OutputException Unreadable(string path, Exception reason) =>
        new($"{path} cannot be read: {Reason(reason)}", refused: false, reason);

    /// <summary>The system's words without the path that .NET puts behind or into them.</summary>
    private static string Reason(Exception reason)
    {
        if (reason is UnauthorizedAccessException)
            return "permission denied";
        string text = reason.Message.ReplaceLineEndings(" ");
        int path = text.IndexOf(" : '", StringComparison.Ordinal);
        return path > 0 ? text[..path] : text;
    }
}
