using System.Text;

namespace LlmPipeline;

/// <summary>What a model may be called: its name is the queue's, and part of a Redis key between braces.</summary>
internal static class RowModel
{
    public const int MaxBytes = 256;

    /// <summary>How many models a file may name: each is a queue of its own, with workers of its own.</summary>
    public const int MaxPerFile = 1000;

    /// <summary>What is wrong with a name; null for nothing.</summary>
    public static string? Fault(string model)
    {
        if (string.IsNullOrWhiteSpace(model)) return "empty";
        if (model.AsSpan().ContainsAny('{', '}')) return "a model's name can't hold { or }";
        if (model.AsSpan().ContainsAnyInRange('\0', '\x1F') || model.Contains('\x7F')) return "a model's name can't hold control characters";
        return Encoding.UTF8.GetByteCount(model) > MaxBytes ? $"longer than {MaxBytes} bytes" : null;
    }
}
