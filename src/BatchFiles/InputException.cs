namespace LlmPipeline;

/// <summary>An input file can't be used. The message is one line for people and names the file.</summary>
public sealed class InputException : Exception
{
    /// <summary>Makes one with its message and, where there is one, its cause.</summary>
    /// <param name="message">One line for people that names the file.</param>
    /// <param name="innerException">What made it fail; null for none.</param>
    public InputException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>True: the file is no longer the one that was checked.</summary>
    public bool HasChanged { get; init; }

    /// <summary>True: the file is there, but holds no rows at all.</summary>
    public bool IsEmpty { get; init; }
}
