using System.Globalization;
using System.Text;

namespace LlmPipeline;

/// <summary>What an upload says beside its file.</summary>
internal sealed class FileForm
{
    /// <summary>The longest value of a field, in bytes.</summary>
    public const int MaxFieldBytes = 8 * 1024;

    private string? _purpose;
    private string? _anchor;
    private string? _seconds;

    /// <summary>When the file is to be removed after it was made; null for never.</summary>
    public TimeSpan? Life { get; private set; }

    /// <summary>Takes a field; those that nobody knows are let through.</summary>
    /// <exception cref="ApiException">Its value is wrong.</exception>
    public async Task ReadAsync(string name, Stream value, CancellationToken cancellationToken)
    {
        var text = await TextAsync(name, value, cancellationToken);
        switch (name)
        {
            case "purpose":
                _purpose = text == FileRecords.Batch
                    ? text
                    : throw ApiError.Invalid("purpose", $"'purpose' must be '{FileRecords.Batch}': files of this gateway are the input of batches.").Thrown();
                break;
            case "expires_after[anchor]":
                _anchor = text;
                break;
            case "expires_after[seconds]":
                _seconds = text;
                break;
        }
    }

    /// <summary>Judges the form when all of it is read.</summary>
    /// <exception cref="ApiException">Something is missing or wrong.</exception>
    public void Finish()
    {
        if (_purpose is null)
            throw ApiError.Invalid("purpose", "'purpose' is missing.").Thrown();
        if (_anchor is null && _seconds is null)
            return;
        if (_anchor is not "created_at")
            throw ApiError.Invalid("expires_after[anchor]", "'expires_after[anchor]' must be 'created_at'.").Thrown();
        if (!int.TryParse(_seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || !FileLife.Allows(seconds))
            throw ApiError.Invalid("expires_after[seconds]", $"'expires_after[seconds]' must be a whole number {FileLife.Range}.").Thrown();
        Life = TimeSpan.FromSeconds(seconds);
    }

    private static async Task<string> TextAsync(string name, Stream value, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxFieldBytes + 1];
        var length = await value.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return length <= MaxFieldBytes
            ? Encoding.UTF8.GetString(buffer, 0, length)
            : throw ApiError.Invalid(name, $"'{name}' is longer than {MaxFieldBytes} bytes.").Thrown();
    }
}

/// <summary>How long a file may be told to live.</summary>
internal static class FileLife
{
    public const string Range = "from 3600 to 2592000";

    public static bool Allows(long seconds) => seconds is >= 3600 and <= 2592000;
}
