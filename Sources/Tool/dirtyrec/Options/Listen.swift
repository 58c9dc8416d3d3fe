import Web

extension ListenAddress {
    /// - Throws: ``Refusal``.
    init(parsing text: String) throws {
        guard let address = ListenAddress(text) else {
            throw Refusal("'\(text)' is no address and port in digits, such as 127.0.0.1:8080 or [::1]:8080.")
        }
        self = address
    }
}
