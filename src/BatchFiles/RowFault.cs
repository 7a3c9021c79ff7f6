namespace LlmPipeline;

/// <summary>What is wrong with a row; with its line it is an <see cref="InputError"/>.</summary>
internal readonly record struct RowFault(string? Field, string What, string Code = InputError.InvalidRequest)
{
    public static RowFault TooLong(int maxBytes) => new(null, $"longer than {maxBytes} bytes");

    public InputError At(int line) => new(line, Field is null ? null : InputError.Shown(Field), What) { Code = Code };
}
